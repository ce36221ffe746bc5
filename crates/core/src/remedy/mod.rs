//! What svcwatch does about a service that is not as it should be.

pub mod procedure;
