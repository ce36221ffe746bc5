//! The image, where there is something that builds one.

use super::{Stage, VERSION, Work};
use crate::project::{read, run};

/// What can build an image, and the words that show whether it can be used here.
const BUILDERS: [(&str, &[&str]); 3] = [
    ("docker", &["info"]),
    ("podman", &["info"]),
    ("buildah", &["info"]),
];

/// Lays the files of the image ready and builds it where that is possible. Says which it was.
pub(super) fn make(work: &Work<'_>) -> Result<String, String> {
    let stage = Stage::new(work.folder.join("image"))?;
    let root = &work.project.root;
    let recipe = root.join("packaging/docker/Dockerfile");
    stage.copy(&recipe, "Dockerfile", 0o644)?;
    stage.copy(&work.program, "svcwatch", 0o755)?;
    stage.licences(root, "", &work.notices)?;
    let files = stage.finish(work.epoch)?;
    let lacks = lacking(&super::stage::text(&recipe)?, &files);
    if !lacks.is_empty() {
        return Err(format!(
            "the Dockerfile copies {}, which is not beside it",
            lacks.join(", ")
        ));
    }
    let usable = |name: &str, words: &[&str]| read(work.project.program(name).args(words)).is_ok();
    let Some((builder, _)) = BUILDERS.iter().find(|(name, words)| usable(name, words)) else {
        return Ok(
            "NOT BUILT: neither docker, podman nor buildah can be used here; its files lie in image/".to_owned(),
        );
    };
    let tag = format!("svcwatch:{VERSION}");
    let mut command = work.project.program(builder);
    command.args(["build", "--tag", &tag]).arg(&stage.root);
    run(&mut command)?;
    if *builder == "buildah" {
        return Ok(format!("{tag}, built by buildah, which cannot run it"));
    }
    let said = read(
        work.project
            .program(builder)
            .args(["run", "--rm", &tag, "--version"]),
    )?;
    if !said.contains(VERSION) {
        return Err(format!("the image says `{}` of itself", said.trim()));
    }
    Ok(format!("{tag}, built by {builder}, says {}", said.trim()))
}

/// What a recipe copies and nobody laid beside it.
fn lacking(recipe: &str, files: &[String]) -> Vec<String> {
    let mut lacks = Vec::new();
    for line in recipe.lines() {
        let Some(words) = line.strip_prefix("COPY ") else {
            continue;
        };
        let mut words: Vec<&str> = words.split_whitespace().collect();
        words.pop();
        for word in words {
            if !files.iter().any(|file| file == word) {
                lacks.push(word.to_owned());
            }
        }
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_must_be_there() {
        let recipe = "FROM x\nCOPY one two /there/\nCOPY three /\n";
        let files = ["one".to_owned(), "three".to_owned()];
        assert_eq!(lacking(recipe, &files), ["two"]);
    }
}
