#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| svcwatch_fuzz::wire::pdu_secure(data));
