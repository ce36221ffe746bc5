//! The closed lists of a restart.

words! {
    /// What is wanted of a service.
    pub enum Aim {
        /// It runs, and anew: one that runs or is paused is stopped first.
        Restart = "restart",
        /// It runs: one that runs already, or that somebody paused, is left alone.
        Run = "run",
    }
}

words! {
    /// What is done to a service.
    pub enum Verb {
        /// It is stopped.
        Stop = "stop",
        /// It is started.
        Start = "start",
    }
}

words! {
    /// Why something is done to a service.
    pub enum Role {
        /// It is the one that was asked for.
        Service = "service",
        /// The one that was asked for depends on it.
        Dependency = "dependency",
        /// It depends on the one that was asked for, and ran.
        Dependent = "dependent",
    }
}

words! {
    /// How a restart ended.
    pub enum Outcome {
        /// It ran, was stopped and runs again.
        Restarted = "restarted",
        /// It did not run, and does now.
        Started = "started",
        /// Nothing was done, and what would have been is said.
        DryRun = "dry_run",
        /// It runs already, and no more than that was wanted.
        AlreadyRunning = "already_running",
        /// It is paused, which somebody did on purpose, and no more than that it runs was wanted.
        Paused = "paused",
        /// Its start is disabled (1058), or that of a dependent that would have to be started again.
        Disabled = "disabled",
        /// The account may not do it.
        Denied = "denied",
        /// The manager refused the stop, with this code.
        StopRefused = "stop_refused",
        /// It was asked to stop and did not, or never left STOP_PENDING.
        StopTimeout = "stop_timeout",
        /// The manager refused the start, with this code.
        StartRefused = "start_refused",
        /// It was started and never came to run, or never left START_PENDING.
        StartTimeout = "start_timeout",
        /// It was started and ended again, with this exit code.
        StartFailed = "start_failed",
        /// A service that it depends on does not run and cannot be started (1068, 1075).
        DependencyDown = "dependency_down",
        /// Services depend on each other in a circle (1059).
        DependencyCircle = "dependency_circle",
        /// It runs again, but a service that depends on it and ran before does not.
        DependentsDown = "dependents_down",
        /// Windows could not log on the account of the service (1069, 1057).
        LogonFailure = "logon_failure",
        /// No answer came to a control, and the state did not say what became of it.
        UnknownOutcome = "unknown_outcome",
        /// It is not installed (1060), or is being removed (1072).
        Gone = "gone",
        /// The host is shutting down (1115).
        HostGoingDown = "host_going_down",
        /// The host could not be asked.
        HostFault = "host_fault",
        /// More services hang together than one restart touches.
        TooMany = "too_many",
        /// The time was up before anything was done to it.
        OutOfTime = "out_of_time",
    }
}

impl Outcome {
    /// Whether what was wanted is so.
    pub const fn is_success(self) -> bool {
        matches!(
            self,
            Self::Restarted | Self::Started | Self::DryRun | Self::AlreadyRunning
        )
    }
}
