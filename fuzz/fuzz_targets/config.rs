//! Any bytes are a config, or are refused with at least one problem that has a place.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| svcwatch::config::parse_for_fuzzing(bytes));
