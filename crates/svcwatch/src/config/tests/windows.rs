//! The examples of maintenance windows in the documentation.

use crate::config::{LoadOptions, load_text};
use std::{fs, path::Path};

#[test]
fn the_examples_of_windows_are_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut count = 0;
    for page in ["docs/silences.md", "docs/configuration.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let examples = text.split("```yaml\n").skip(1);
        let examples = examples.filter_map(|rest| rest.split("```").next());
        for example in examples.filter(|example| example.starts_with("maintenance:")) {
            let config = format!(
                "credentials: {{ ops: {{ user: u, password: {{ env: PATH }} }} }}\ndefaults: {{ credentials: ops }}\nhosts: [{{ name: srv01, services: [Spooler] }}]\ndestinations: {{ out: {{ type: log }} }}\n{example}"
            );
            let loaded = load_text(
                config.as_bytes(),
                Path::new(page),
                LoadOptions {
                    look: false,
                    ..LoadOptions::default()
                },
            );
            let config = loaded.unwrap_or_else(|errors| panic!("{example}\n{errors}"));
            count += config.core.maintenance.len();
        }
    }
    assert!(count >= 5, "only {count} windows were tried");
}
