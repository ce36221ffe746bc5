//! An explanation, as it stands in the JSON of the API.

use serde::{Deserialize, Serialize};

/// Why a host or service is told or not, as the engine explains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The host.
    pub host: String,
    /// The service; none where the host itself is explained.
    pub service: Option<String>,
    /// The sentences, in the order in which they matter.
    pub lines: Vec<ExplanationLine>,
}

/// One sentence of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplanationLine {
    /// What it is about, in one word: `selector`, `expected`, `state`, `for`, `route`, `limit`, `told` and the like.
    pub about: String,
    /// The sentence.
    pub text: String,
}
