//! What happens to the world: a list made up front from the seed, so that it can be cut to what matters.

use crate::{
    mutes::Quiet,
    setup::{HOUR, MINUTE, SECOND},
};
use std::fmt;
use svcwatch_core::observe::{Refusal, StartType};

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Happening {
    /// When, in milliseconds of the world's time.
    pub(crate) at: u64,
    /// What.
    pub(crate) what: What,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// To a service: which machine, which of its services.
    Service(usize, usize, ServiceChange),
    /// To a machine.
    Machine(usize, MachineChange),
    /// To an account.
    Account(usize, AccountChange),
    /// To a destination.
    Destination(usize, DestinationChange),
    /// To the store.
    Store(StoreChange),
    /// The wall clock is set, by so many milliseconds.
    Clock(i64),
    /// The monitor dies and comes back after so long.
    Crash(u64),
    /// The same at the next commit that it asks for.
    CrashAtCommit(u64),
    /// A new configuration.
    Reload(Reload),
    /// Somebody acknowledges one of the open incidents.
    Acknowledge(u64),
    /// Somebody wants to hear nothing of something: about what, from how long on, for how long.
    Silence(Quiet, u64, u64),
    /// Somebody ends one of the silences.
    EndSilence(u64),
}

/// What becomes of a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ServiceChange {
    /// Stops in an orderly way.
    Stop,
    /// Ends with an exit code.
    Die(u32),
    /// Fails, and is started again by its machine after so long.
    Mend(u64),
    /// Is started again at once, in another process.
    Restart,
    /// Starts at once.
    Start,
    /// Starts in so many steps of so many milliseconds each.
    SlowStart(u32, u64),
    /// Hangs while it starts, asking for so long between two checkpoints.
    HangStarting(u64),
    /// Hangs while it stops.
    HangStopping,
    /// Is paused.
    Pause,
    /// Is uninstalled (1060).
    Uninstall,
    /// May not be seen any more (5).
    Hide,
    /// Is left out of the list, but answers when asked.
    Unlist,
    /// Can be seen and listed again, installed where it was not.
    Show,
    /// Is started in another way from now on.
    StartAs(StartType),
    /// Runs as another account from now on.
    Account(u8),
}

/// What becomes of a machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MachineChange {
    /// Nothing answers at its address.
    Die,
    /// Its name has no address.
    LoseName,
    /// It takes the connection and never answers.
    Hang,
    /// A probe of it never comes back.
    Silence,
    /// It answers so long after every deadline, with what was true when it was asked.
    AnswerLate(u64),
    /// Another computer answers at its address, where everything is stopped.
    Impostor,
    /// It bears another computer name from now on.
    Rename,
    /// It refuses the logon.
    Refuse(Refusal),
    /// It denies the reading of services.
    Deny,
    /// It answers what makes no sense.
    Garbage,
    /// It says that it is shutting down.
    ShutDown,
    /// It is away for so long, and all its services start anew.
    Reboot(u64),
    /// Its services go down in order, it says so, is away after so long for so long, and those services come back for
    /// which there is a bit.
    ShutDownAndBoot(u64, u64, u64),
    /// The kept session ends.
    DropSession,
    /// It shows us only some of its services.
    ShowLess,
    /// It is well again.
    Heal,
}

/// What becomes of an account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AccountChange {
    /// Every host refuses it, for this reason.
    Refused(Refusal),
    /// It is accepted again, with or without our being told of a new secret.
    Heal {
        /// Whether the secret changed.
        told: bool,
    },
}

/// What becomes of a destination.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum DestinationChange {
    /// Takes everything.
    Heal,
    /// Takes everything, but so many answers of a hundred are lost.
    LoseAnswers(u64),
    /// Says 429 and asks for so many milliseconds.
    Throttle(u64),
    /// Says 500.
    Fail,
    /// Says 500 to so many of a hundred.
    Flaky(u64),
    /// Answers nothing until the deadline.
    Hang,
    /// Is not there.
    Vanish,
    /// Says 400 to everything.
    Reject,
    /// Says 400 to so many of a hundred.
    RejectSome(u64),
    /// Says 400 to its last recipient.
    RejectLast,
}

/// What becomes of the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StoreChange {
    /// Quick.
    Heal,
    /// Up to so many milliseconds a commit.
    Slow(u64),
    /// No commit succeeds.
    Fail,
    /// Commits are written, but it says that they failed.
    FailWritten,
}

/// What becomes of the configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reload {
    /// A machine is not watched any more.
    RemoveHost(usize),
    /// It is watched again.
    ReturnHost(usize),
    /// It is watched under another name.
    RenameHost(usize),
    /// The first entry of a host is taken away.
    RemoveService(usize),
    /// It returns.
    ReturnService(usize),
    /// `for` of its entries changes.
    ChangeFor(usize, u64),
    /// A destination is taken away.
    RemoveDestination(usize),
    /// It returns.
    ReturnDestination(usize),
    /// The other computer name of a machine is allowed.
    AllowName(usize),
    /// Groups are taken away.
    RemoveGroup,
    /// They return as they were at first.
    ReturnGroup,
    /// `for` of groups changes.
    ChangeGroup(u64),
    /// Nothing changes.
    Same,
}

impl fmt::Display for Happening {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}  {:?}", clock(self.at), self.what)
    }
}

/// A time of the world as hours, minutes, seconds and milliseconds.
pub(crate) fn clock(at: u64) -> String {
    format!(
        "{:3}:{:02}:{:02}.{:03}",
        at / HOUR,
        at / MINUTE % 60,
        at / SECOND % 60,
        at % SECOND
    )
}
