//! Bytes that nobody meant: no decoder panics, whatever it is given. The checks are those of the fuzz targets.

#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;
#[path = "../../../fuzz/src/wire.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate uses it as a library")]
mod wire;

use proptest::collection::vec;
use proptest::prelude::*;

/// Words that counts, offsets and pointers like to trip over.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u32::MAX),
        Just(u32::MAX - 1),
        Just(0x8000_0000),
        Just(0x0004_0000),
        Just(0x0002_0000),
        0..300_u32,
        any::<u32>(),
    ]
}

fn run_all(data: &[u8]) {
    for (_, run) in wire::TARGETS {
        run(data);
    }
    // The targets that choose by their first byte see every operation.
    let mut chosen = vec![0];
    chosen.extend_from_slice(data);
    for operation in 0..=56 {
        chosen[0] = operation;
        wire::scmr_replies(&chosen);
        wire::scmr_requests(&chosen);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_decoder_panics_on_bytes(data in vec(any::<u8>(), 0..600)) {
        run_all(&data);
    }

    #[test]
    fn no_decoder_panics_on_words(words in vec(word(), 0..120)) {
        let data: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        run_all(&data);
    }

    #[test]
    fn no_decoder_panics_on_a_seed_that_was_changed(
        changes in vec((any::<prop::sample::Index>(), word()), 1..6),
        bytes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        for (target, _, mut data) in seeds::seeds() {
            if data.len() < 8 {
                continue;
            }
            for (at, word) in &changes {
                let at = at.index(data.len() - 3);
                data[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
            for (at, byte) in &bytes {
                let at = at.index(data.len());
                data[at] = *byte;
            }
            if cuts {
                data.truncate(cut.index(data.len()));
            }
            for (name, run) in wire::TARGETS {
                if name == target {
                    run(&data);
                }
            }
        }
    }
}
