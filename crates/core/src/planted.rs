//! Planted faults: ways to be wrong that the simulator must be able to find. They exist only with the feature
//! `planted`, which no release has; without it [`is`] is always false and the compiler removes every one of them.

words! {
    /// A way to be wrong.
    pub enum Planted {
        /// Effects are released before their records are durable.
        EffectsBeforeCommit = "effects_before_commit",
        /// A batch whose commit failed is forgotten.
        CommitNotRetried = "commit_not_retried",
        /// A fault of a host resolves the incidents of its services.
        FaultResolves = "fault_resolves",
        /// Services of a host that cannot be read count as stopped.
        FaultIsStopped = "fault_is_stopped",
        /// A fault is told at the first reading, without `host_for`.
        HostForIgnored = "host_for_ignored",
        /// A service is told at its first wrong reading, without `for`.
        ForIgnored = "for_ignored",
        /// A paused service counts as running.
        PausedIsRunning = "paused_is_running",
        /// A hidden service stays as it was.
        HiddenIsFine = "hidden_is_fine",
        /// The answer of a probe that was given up is believed.
        LateAnswerBelieved = "late_answer_believed",
        /// Another computer under a host's address is believed.
        WrongHostBelieved = "wrong_host_believed",
        /// Every host may log on at once, whatever its account has met.
        LogonsUnpaced = "logons_unpaced",
        /// A second password that a host refuses does not count.
        SecondPasswordFree = "second_password_free",
        /// An account that is paused is used as if it were not.
        PauseIgnored = "pause_ignored",
        /// A delivery is given up after three tries.
        RetryGivesUp = "retry_gives_up",
        /// What waits in the outbox is not restored.
        OutboxForgotten = "outbox_forgotten",
        /// Open incidents are not restored.
        IncidentsForgotten = "incidents_forgotten",
        /// A resolve that is owed is merged away with the next opening.
        ResolveMergedAway = "resolve_merged_away",
        /// The newest notice of a lane goes out first.
        LaneUnordered = "lane_unordered",
        /// Each try has another key.
        KeyPerTry = "key_per_try",
        /// A destination that fails holds up all others.
        DestinationBlocksAll = "destination_blocks_all",
        /// What expired is not followed by the current state.
        ExpiredForgotten = "expired_forgotten",
        /// Changes are told in a silence all the same.
        SilenceTellsChanges = "silence_tells_changes",
        /// Reminders are told in a silence all the same.
        SilenceTellsReminders = "silence_tells_reminders",
        /// An end that a silence held back is never told.
        SilencedEndForgotten = "silenced_end_forgotten",
        /// What a silence held back is not told when it is over.
        SilencedOpeningForgotten = "silenced_opening_forgotten",
        /// Silences are not restored.
        SilencesForgotten = "silences_forgotten",
        /// A silence ends the incidents that it covers.
        SilenceEndsIncidents = "silence_ends_incidents",
        /// What a host says while it is read is forgotten.
        StirLost = "stir_lost",
        /// What a host says is believed without a reading.
        StirBelieved = "stir_believed",
        /// What a boot left stopped is told one by one, as if no host had been booted.
        BootIgnored = "boot_ignored",
        /// What did not come back after a boot is never told.
        BootReportForgotten = "boot_report_forgotten",
        /// Services of a host that is shutting down are told one by one.
        ShuttingDownToldEach = "shutting_down_told_each",
        /// A boot grace that was running is not restored.
        BootGraceForgotten = "boot_grace_forgotten",
        /// A maintenance window silences nothing.
        WindowIgnored = "window_ignored",
        /// A change that a host told of is told without a reading.
        HeardIsTold = "heard_is_told",
        /// A registration that was lost is not asked for again.
        NotifyLostForgotten = "notify_lost_forgotten",
        /// News that comes while a host is being read has it not read again.
        HeardMeanwhileForgotten = "heard_meanwhile_forgotten",
        /// A host that ends a registration because it shuts down is not taken for shutting down.
        HeardShutdownIgnored = "heard_shutdown_ignored",
        /// A host of a group that cannot be seen counts as stopped.
        UnknownMemberIsStopped = "unknown_member_is_stopped",
        /// A service of a group is told as stopped while it moves.
        MoveIsOutage = "move_is_outage",
        /// What is known of groups is not restored.
        GroupForgotten = "group_forgotten",
        /// A service that its host is about to start again is told at once.
        RecoveryNotWaited = "recovery_not_waited",
        /// A host that was started anew counts as restarts of its services.
        BootIsRestarts = "boot_is_restarts",
        /// That a list lets go of a host is not told.
        VanishedUntold = "vanished_untold",
        /// A restart forgets which hosts a list named.
        ListsForgotten = "lists_forgotten",
        /// A service that is to be learned first is told although it was never seen running.
        LearnedIsTold = "learned_is_told",
        /// Where an orderly stop is as good as running, every other one is too.
        StoppedOkHidesCrash = "stopped_ok_hides_crash",
        /// A change of how a service is set up is neither kept nor told.
        ChangeForgotten = "change_forgotten",
        /// A service whose start type changes is not watched any more by the entry that selected it.
        SelectionForgotten = "selection_forgotten",
        /// An opening waits for what its host has to say however long that takes.
        EvidenceHoldsBack = "evidence_holds_back",
        /// The numbers of a target start again when it is removed and returns.
        SeqStartsAgain = "seq_starts_again",
        /// A service is started again however often that was tried.
        BudgetIgnored = "budget_ignored",
        /// A try is begun while another one is under way or nobody knows what it came to.
        ActsTwice = "acts_twice",
        /// A service that was stopped in an orderly way is started again.
        CleanStopRestarted = "clean_stop_restarted",
        /// A service is started again in a maintenance window.
        RemedyInMaintenance = "remedy_in_maintenance",
        /// What guests refuse does not count.
        GuestsUncounted = "guests_uncounted",
        /// While an account is proven any number of guests are logged on to at once.
        GuestsAtOnce = "guests_at_once",
        /// A guest that refused a logon is logged on to again as soon as somebody asks for it.
        GuestsNotLeftAlone = "guests_not_left_alone",
        /// A logon at a guest that was not answered counts for nothing.
        GuestsUnansweredForgotten = "guests_unanswered_forgotten",
        /// What one guest says of the account is believed at once.
        GuestsBelieved = "guests_believed",
        /// A restart forgets what was tried.
        TriesForgotten = "tries_forgotten",
        /// The end of an incident is told while the try that ended it is not answered.
        EndBeforeTry = "end_before_try",
        /// An end that waited for a try is never told.
        HeldEndForgotten = "held_end_forgotten",
    }
}

#[cfg(feature = "planted")]
mod choice {
    use super::Planted;
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// The place of the chosen fault in [`Planted::ALL`], or its length for none.
    static CHOSEN: AtomicUsize = AtomicUsize::new(usize::MAX);

    /// Plants one fault, or none, for the whole process.
    pub fn plant(fault: Option<Planted>) {
        let place = fault.and_then(|fault| Planted::ALL.iter().position(|one| *one == fault));
        CHOSEN.store(place.unwrap_or(usize::MAX), Ordering::SeqCst);
    }

    /// Whether this fault is planted.
    pub fn is(fault: Planted) -> bool {
        Planted::ALL.get(CHOSEN.load(Ordering::Relaxed)) == Some(&fault)
    }
}

#[cfg(feature = "planted")]
pub use choice::{is, plant};

/// Whether this fault is planted: never, without the feature.
#[cfg(not(feature = "planted"))]
pub const fn is(_fault: Planted) -> bool {
    false
}
