//! What Windows and .NET write into the log of applications about a process that ended: which service it was, only the file
//! tells that it ran.

/// A report about a process, which names the file that it ran; where several services share one, with the name of the
/// service behind it.
#[derive(Debug)]
pub(super) struct Report {
    /// Who reports it.
    source: &'static str,
    /// The number of the event.
    event: u32,
    /// Which of its strings names the file, from 0.
    place: usize,
    /// Whether only the first line of that string does, behind a word and a colon.
    behind_a_word: bool,
    /// What it says, to be read behind the name of the service.
    pub(super) words: &'static str,
    /// Whether the process had just crashed when it was made.
    pub(super) proves_crash: bool,
}

/// The reports about processes that are read.
const REPORTS: [Report; 3] = [
    Report {
        source: "Application Error",
        event: 1000,
        place: 0,
        behind_a_word: false,
        words: "its process crashed",
        proves_crash: true,
    },
    // Its only string is a text of several lines, the first of which is `Application: spooler.exe`.
    Report {
        source: ".NET Runtime",
        event: 1026,
        place: 0,
        behind_a_word: true,
        words: "its process crashed by an exception of .NET that nobody handled",
        proves_crash: true,
    },
    // WER_EL_BUCKET_LOG: behind the bucket, its type, the name of the event, the response and the cabinet stand the
    // parameters of the problem, of which the file is the first. It is written each time the report gets any further, which
    // may be long after the crash.
    Report {
        source: "Windows Error Reporting",
        event: 1001,
        place: 5,
        behind_a_word: false,
        words: "Windows keeps a report about its process",
        proves_crash: false,
    },
];

impl Report {
    /// The report that an event of this reporter and number is.
    pub(super) fn of(source: &str, event: u32) -> Option<&'static Self> {
        REPORTS
            .iter()
            .find(|one| one.event == event && one.source.eq_ignore_ascii_case(source))
    }

    /// The file that it names, in lower case.
    pub(super) fn file(&self, strings: &[String]) -> Option<String> {
        let text = strings.get(self.place)?;
        let name = if self.behind_a_word {
            text.lines().next()?.split_once(':')?.1
        } else {
            text
        };
        Some(name.trim().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_stands_where_each_report_has_it() {
        let file = |source, event, strings: &[&str]| {
            let strings: Vec<String> = strings.iter().map(|one| (*one).to_owned()).collect();
            Report::of(source, event)?.file(&strings)
        };
        let told = |strings: &[&str]| file("application error", 1000, strings);
        assert_eq!(told(&["Spooler.EXE", "1.0"]).unwrap(), "spooler.exe");
        assert_eq!(told(&[]), None);
        assert_eq!(file("Application Error", 1001, &["a.exe"]), None);
        let net = |text| file(".NET Runtime", 1026, &[text]);
        let text = "Application: A B.exe\nFramework Version: v4.0.30319\nx: other.exe";
        assert_eq!(net(text).unwrap(), "a b.exe");
        assert_eq!(net("Anwendung: a.exe\r\nx").unwrap(), "a.exe");
        assert_eq!(net("a.exe\nApplication: b.exe"), None);
        assert_eq!(net(""), None);
        let report = |strings| file("Windows Error Reporting", 1001, strings);
        let strings = ["1", "5", "BEX64", "Not available", "0", "a.exe", "1.0"];
        assert_eq!(report(&strings[..]).unwrap(), "a.exe");
        assert_eq!(report(&strings[..5]), None);
    }
}
