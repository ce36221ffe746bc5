//! What svcwatch speaks by hand, without I/O.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
