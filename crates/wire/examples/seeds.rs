//! Writes the seed corpora of the fuzz targets: `cargo run -p svcwatch-wire --example seeds -- fuzz/corpus`.

#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;
#[path = "../../../fuzz/src/wire.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "of the targets only the toy seals are used here; the fuzz crate uses it as a library"
)]
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(corpus) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("say which folder the corpora go to, as in: seeds fuzz/corpus");
        return ExitCode::from(2);
    };
    for (target, name, bytes) in seeds::seeds() {
        let folder = corpus.join(target);
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join(&name), bytes));
        if let Err(error) = written {
            eprintln!("cannot write {}/{name}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
