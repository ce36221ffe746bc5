//! What the config will have one day and this version does not carry out yet.
//!
//! Such a key or value is refused, so that nobody believes to be told what nobody tells. A key leaves this
//! list in the change that builds it.

/// Shapes and the keys that they will have.
const KEYS: &[(&str, &[&str])] = &[
    ("config", &["templates"]),
    ("service", &["keep_firing_for"]),
];

/// Shapes, keys, and the values that they will have.
const VALUES: &[(&str, &str, &[&str])] = &[];

/// Whether a shape will have this key.
pub(crate) fn key(shape: &str, key: &str) -> bool {
    KEYS.iter()
        .any(|(name, keys)| *name == shape && keys.contains(&key))
}

/// Whether a key will have this value.
pub(crate) fn value(shape: &str, key: &str, value: &str) -> bool {
    VALUES
        .iter()
        .any(|(name, of, values)| *name == shape && *of == key && values.contains(&value))
}

#[cfg(test)]
mod tests {
    use super::super::tables::{self, every_shape};
    use super::{KEYS, VALUES};

    #[test]
    fn what_is_to_come_belongs_to_a_shape_and_is_not_there_yet() {
        let shapes = every_shape();
        for (name, keys) in KEYS {
            let shape = shapes
                .iter()
                .find(|shape| shape.name == *name)
                .expect("the shape exists");
            for key in *keys {
                assert!(
                    shape.key(key).is_none(),
                    "{name}.{key} is carried out already"
                );
            }
        }
        for (name, key, values) in VALUES.iter().filter(|(name, ..)| *name != "destination") {
            let shape = shapes
                .iter()
                .find(|shape| shape.name == *name)
                .expect("the shape exists");
            assert!(shape.key(key).is_some(), "{name}.{key} is gone");
            assert!(!values.is_empty());
        }
        for value in VALUES
            .iter()
            .filter(|(name, ..)| *name == "destination")
            .flat_map(|(_, _, values)| *values)
        {
            assert!(
                tables::DESTINATION_TYPES
                    .iter()
                    .all(|(name, _)| name != value)
            );
        }
    }
}
