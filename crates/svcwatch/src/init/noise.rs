//! Services that Windows or an updater starts and ends as it likes, so that a stop of them says nothing.

use svcwatch_core::glob::Glob;

/// Key names, or patterns of them, each with the reason.
const NOISY: &[(&str, &str)] = &[
    ("sppsvc", "Software Protection ends itself when it is idle"),
    (
        "RemoteRegistry",
        "Remote Registry starts when somebody asks and ends when it is idle",
    ),
    (
        "MapsBroker",
        "Downloaded Maps Manager ends itself when no application asks",
    ),
    (
        "TrustedInstaller",
        "Windows Modules Installer runs for an update",
    ),
    (
        "BITS",
        "Background Intelligent Transfer runs for a transfer",
    ),
    ("wuauserv", "Windows Update runs for a search"),
    (
        "UsoSvc",
        "Update Orchestrator runs while updates are looked for",
    ),
    (
        "WaaSMedicSvc",
        "Windows Update Medic runs to mend the update services",
    ),
    ("DoSvc", "Delivery Optimization runs during downloads"),
    (
        "gupdate*",
        "Google Update looks for updates and ends itself",
    ),
    (
        "GoogleUpdater*",
        "Google's updater looks for updates and ends itself",
    ),
    (
        "edgeupdate*",
        "Microsoft Edge Update looks for updates and ends itself",
    ),
    (
        "clr_optimization_v*",
        ".NET compiles its libraries after an update and ends itself",
    ),
    (
        "WbioSrvc",
        "Windows Biometric Service ends itself where there is no sensor",
    ),
    (
        "tiledatamodelsvc",
        "Tile Data model server ends itself when nobody is logged on",
    ),
    (
        "StateRepository",
        "State Repository ends itself when no application asks",
    ),
    (
        "CDPSvc",
        "Connected Devices Platform starts and ends with devices near by",
    ),
    (
        "ShellHWDetection",
        "Shell Hardware Detection ends itself where nobody is logged on",
    ),
    (
        "TabletInputService",
        "Touch Keyboard ends itself without such a device",
    ),
    (
        "stisvc",
        "Windows Image Acquisition ends itself where there is no camera",
    ),
];

/// Why a service is known to come and go; nothing where it is not.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    let mut noisy = NOISY.iter();
    noisy
        .find(|(known, _)| Glob::new(known).matches(name))
        .map(|(_, reason)| *reason)
}
