//! svcwatch: the adapters around the core.
