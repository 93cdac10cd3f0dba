#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nodetool_server::fuzzing::events(bytes));
