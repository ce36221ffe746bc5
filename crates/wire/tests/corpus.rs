//! Replays the fuzz corpora on stable, and checks that they hold what today's encoders write.

#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;
#[path = "../../../fuzz/src/wire.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate uses it as a library")]
mod wire;

use std::fs;
use std::path::PathBuf;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target)
}

#[test]
fn every_corpus_file_passes_its_target() {
    for (target, run) in wire::TARGETS {
        let files: Vec<PathBuf> = fs::read_dir(corpus(target))
            .unwrap_or_else(|error| panic!("the corpus of {target}: {error}"))
            .map(|entry| entry.expect("a file of the corpus").path())
            .collect();
        assert!(!files.is_empty(), "the corpus of {target} is empty");
        for file in files {
            let bytes = fs::read(&file).expect("a file of the corpus");
            assert!(bytes.len() < 32 * 1024, "{} is large", file.display());
            println!("{}", file.display());
            run(&bytes);
        }
    }
}

#[test]
fn the_committed_seeds_are_what_the_encoders_write() {
    for (target, name, bytes) in seeds::seeds() {
        let file = corpus(target).join(&name);
        let committed = fs::read(&file).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; run: cargo run -p svcwatch-wire --example seeds -- fuzz/corpus",
                file.display()
            )
        });
        assert!(committed == bytes, "{} is out of date", file.display());
    }
}

#[test]
fn each_target_has_seeds_and_each_seed_a_target() {
    let seeds = seeds::seeds();
    for (target, _) in wire::TARGETS {
        assert!(seeds.iter().any(|(of, _, _)| *of == target), "{target}");
    }
    for (of, name, _) in seeds {
        assert!(
            wire::TARGETS.iter().any(|(target, _)| *target == of),
            "{name}"
        );
    }
}
