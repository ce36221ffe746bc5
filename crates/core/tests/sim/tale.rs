//! Makes a story up from a seed.

use crate::{
    mutes::Quiet,
    rng::Rng,
    setup::{HOUR, MINUTE, SECOND, Setup},
    story::{
        AccountChange, DestinationChange, Happening, MachineChange, Reload, ServiceChange,
        StoreChange, What,
    },
};
use svcwatch_core::observe::Refusal;

/// The story of a seed.
pub(crate) fn story(seed: u64, setup: &Setup) -> Vec<Happening> {
    let mut rng = Rng::new(seed, 2);
    let mut story = Vec::new();
    // Some seeds are about one thing, so that it happens often and undisturbed; the others mix everything.
    let theme = rng.below(10);
    let count = rng.between(12, 55);
    for _ in 0..count {
        let at = rng.between(20 * SECOND, setup.horizon);
        let dice = match theme {
            0 => rng.below(40),
            1 => rng.between(25, 59),
            2 => rng.between(55, 79),
            3 => rng.between(60, 99),
            _ => rng.below(100),
        };
        match dice {
            0..35 => service(&mut rng, setup, at, &mut story),
            35..58 => machine(&mut rng, setup, at, &mut story),
            58..63 => account(&mut rng, setup, at, &mut story),
            63..77 => destination(&mut rng, setup, at, &mut story),
            77..82 => store(&mut rng, at, &mut story),
            82..85 => {
                let by = i64::try_from(rng.between(6 * SECOND, 3 * HOUR)).unwrap_or(0);
                let by = if rng.chance(50) { by } else { -by };
                story.push(Happening {
                    at,
                    what: What::Clock(by),
                });
            }
            85..92 => {
                let down = rng.pick(&[1, 200, 5 * SECOND, MINUTE, 10 * MINUTE]);
                let what = if rng.chance(70) {
                    What::CrashAtCommit(down)
                } else {
                    What::Crash(down)
                };
                story.push(Happening { at, what });
            }
            92..98 => reload(&mut rng, setup, at, &mut story),
            _ => story.push(Happening {
                at,
                what: What::Acknowledge(rng.next()),
            }),
        }
    }
    silences(seed, setup, &mut story);
    reboots(seed, setup, &mut story);
    crate::vanished::vanish(seed, setup, &mut story);
    crate::changes::happenings(seed, setup, &mut story);
    crate::clusters::stories(seed, setup, &mut story);
    crate::recoveries::stories(seed, setup, &mut story);
    crate::remedies::stories(seed, setup, &mut story);
    story.sort_by_key(|happening| happening.at);
    story
}

/// Some stories have silences, with a chance of their own, so that all else is as it was without them.
fn silences(seed: u64, setup: &Setup, story: &mut Vec<Happening>) {
    let mut rng = Rng::new(seed, 8);
    if rng.chance(40) {
        return;
    }
    for _ in 0..rng.between(1, 8) {
        let at = rng.between(20 * SECOND, setup.horizon);
        let machine = rng.index(setup.machines.len());
        let about = match rng.below(6) {
            0..3 => Quiet::Machine(machine),
            3 => Quiet::Service(
                machine,
                rng.index(crate::clusters::others(&setup.machines[machine])),
            ),
            4 => Quiet::Hosts,
            _ => Quiet::Site,
        };
        let wait = rng.pick(&[0, 0, MINUTE, 10 * MINUTE]);
        let length = rng.pick(&[SECOND, 10 * MINUTE, 40 * MINUTE, 2 * HOUR, 5 * HOUR]);
        story.push(Happening {
            at,
            what: What::Silence(about, wait, length),
        });
        if rng.chance(30) {
            story.push(Happening {
                at: at + rng.between(MINUTE, HOUR),
                what: What::EndSilence(rng.next()),
            });
        }
        // What happens in a silence is what a wrong monitor tells or forgets.
        if let Quiet::Machine(machine) | Quiet::Service(machine, _) = about
            && rng.chance(70)
        {
            let begin = at.saturating_sub(rng.pick(&[0, 5 * MINUTE])) + wait;
            let during = begin + rng.between(1, length.max(MINUTE));
            service_of(&mut rng, setup, machine, during, story);
            if rng.chance(40) {
                let crash = What::Crash(rng.pick(&[MINUTE, 30 * MINUTE]));
                story.push(Happening {
                    at: begin + rng.between(1, length.max(MINUTE)),
                    what: crash,
                });
            }
        }
    }
}

/// Some stories have a night of reboots, with a chance of its own too.
fn reboots(seed: u64, setup: &Setup, story: &mut Vec<Happening>) {
    let mut rng = Rng::new(seed, 10);
    if rng.chance(50) {
        return;
    }
    for _ in 0..rng.between(1, 3) {
        let night = rng.between(2 * MINUTE, setup.horizon);
        for machine in 0..setup.machines.len() {
            if rng.chance(40) {
                continue;
            }
            let at = night + rng.between(0, 5 * MINUTE);
            let down = rng.between(3 * SECOND, 90 * SECOND);
            let away = rng.pick(&[20 * SECOND, MINUTE, 3 * MINUTE, 12 * MINUTE]);
            let back = rng.pick(&[u64::MAX, u64::MAX, !1, !2, !5, 0]);
            let change = MachineChange::ShutDownAndBoot(down, away, back);
            story.push(Happening {
                at,
                what: What::Machine(machine, change),
            });
            let after = at + down + away;
            // What is late, or comes and goes while it is held, is what a wrong monitor tells or forgets.
            if rng.chance(40) {
                let during = after + rng.between(1, 12 * MINUTE);
                service_of(&mut rng, setup, machine, during, story);
            }
            if rng.chance(15) {
                let crash = What::Crash(rng.pick(&[SECOND, MINUTE, 11 * MINUTE]));
                story.push(Happening {
                    at: at + rng.between(1, 15 * MINUTE),
                    what: crash,
                });
            }
        }
    }
}

/// A time after `at`: mostly soon, sometimes long after.
fn later(rng: &mut Rng, at: u64) -> u64 {
    let wait = match rng.below(10) {
        0..3 => rng.between(SECOND, MINUTE),
        3..6 => rng.between(MINUTE, 10 * MINUTE),
        6..9 => rng.between(10 * MINUTE, 2 * HOUR),
        _ => rng.between(2 * HOUR, 30 * HOUR),
    };
    at + wait
}

fn service(rng: &mut Rng, setup: &Setup, at: u64, story: &mut Vec<Happening>) {
    let machine = rng.index(setup.machines.len());
    service_of(rng, setup, machine, at, story);
}

fn service_of(rng: &mut Rng, setup: &Setup, machine: usize, at: u64, story: &mut Vec<Happening>) {
    let service = rng.index(crate::clusters::others(&setup.machines[machine]));
    let mut push = |at, change| {
        story.push(Happening {
            at,
            what: What::Service(machine, service, change),
        });
    };
    let end = later(rng, at);
    match rng.below(12) {
        0..3 => {
            push(at, ServiceChange::Stop);
            if rng.chance(70) {
                push(end, ServiceChange::Start);
            }
        }
        3..5 => {
            push(at, ServiceChange::Die(rng.pick(&[0, 1, 1066, 1067])));
            if rng.chance(70) {
                push(
                    end,
                    ServiceChange::SlowStart(5, rng.between(SECOND, MINUTE)),
                );
            }
        }
        5 => {
            push(at, ServiceChange::Pause);
            push(end, rng.pick(&[ServiceChange::Start, ServiceChange::Stop]));
        }
        6 => {
            push(
                at,
                ServiceChange::HangStarting(rng.pick(&[0, 10 * SECOND, 3 * MINUTE])),
            );
            push(end, rng.pick(&[ServiceChange::Start, ServiceChange::Stop]));
        }
        7 => {
            push(at, ServiceChange::HangStopping);
            push(end, rng.pick(&[ServiceChange::Start, ServiceChange::Stop]));
        }
        8 => {
            push(at, ServiceChange::Uninstall);
            push(end, ServiceChange::Show);
        }
        9 => {
            push(at, ServiceChange::Hide);
            push(end, ServiceChange::Show);
        }
        10 => {
            push(at, ServiceChange::Unlist);
            push(end, ServiceChange::Show);
        }
        // A service that goes up and down every few moments.
        _ => {
            let beat = rng.pick(&[3 * SECOND, 20 * SECOND, 2 * MINUTE]);
            for round in 0..rng.between(3, 8) {
                push(at + 2 * round * beat, ServiceChange::Stop);
                push(at + (2 * round + 1) * beat, ServiceChange::Start);
            }
        }
    }
}

fn machine(rng: &mut Rng, setup: &Setup, at: u64, story: &mut Vec<Happening>) {
    let machine = rng.index(setup.machines.len());
    let end = later(rng, at);
    let change = match rng.below(16) {
        0 | 1 => MachineChange::Die,
        2 => MachineChange::LoseName,
        3 => MachineChange::Hang,
        4 => MachineChange::Silence,
        5 | 6 => MachineChange::AnswerLate(rng.pick(&[100, 10 * SECOND, 5 * MINUTE])),
        7 | 8 => MachineChange::Impostor,
        9 => MachineChange::Rename,
        10 => MachineChange::Refuse(rng.pick(&[
            Refusal::WrongPassword,
            Refusal::WrongPassword,
            Refusal::Other,
        ])),
        11 => MachineChange::Deny,
        12 => MachineChange::Garbage,
        13 => MachineChange::ShowLess,
        14 => rng.pick(&[0, 1]).into_change(end - at),
        _ => MachineChange::Reboot(rng.between(10 * SECOND, 8 * MINUTE)),
    };
    let late = matches!(change, MachineChange::AnswerLate(_));
    let heals = !matches!(
        change,
        MachineChange::Reboot(_) | MachineChange::DropSession
    );
    if change == MachineChange::Rename && rng.chance(40) {
        let allowed = What::Reload(Reload::AllowName(machine));
        story.push(Happening {
            at: at + rng.between(MINUTE, HOUR),
            what: allowed,
        });
    }
    story.push(Happening {
        at,
        what: What::Machine(machine, change),
    });
    if heals {
        story.push(Happening {
            at: end,
            what: What::Machine(machine, MachineChange::Heal),
        });
    }
    // What is true while a machine cannot be read is what a wrong monitor makes up.
    if rng.chance(if late { 90 } else { 40 }) {
        let service = rng.index(crate::clusters::others(&setup.machines[machine]));
        let during = rng.between(at, end);
        let change = rng.pick(&[
            ServiceChange::Stop,
            ServiceChange::Start,
            ServiceChange::Pause,
        ]);
        story.push(Happening {
            at: during,
            what: What::Service(machine, service, change),
        });
    }
}

/// A little helper for the rare changes of a machine.
trait IntoChange {
    fn into_change(self, length: u64) -> MachineChange;
}
impl IntoChange for u64 {
    fn into_change(self, _length: u64) -> MachineChange {
        if self == 0 {
            MachineChange::ShutDown
        } else {
            MachineChange::DropSession
        }
    }
}

fn account(rng: &mut Rng, setup: &Setup, at: u64, story: &mut Vec<Happening>) {
    let account = rng.index(setup.accounts.len());
    let refusal = rng.pick(&[
        Refusal::WrongPassword,
        Refusal::WrongPassword,
        Refusal::LockedOut,
        Refusal::Expired,
        Refusal::Disabled,
    ]);
    story.push(Happening {
        at,
        what: What::Account(account, AccountChange::Refused(refusal)),
    });
    // A wrong password is met at the next logon only, so sessions end here and there.
    for machine in 0..setup.machines.len() {
        if rng.chance(70) {
            let drop = What::Machine(machine, MachineChange::DropSession);
            story.push(Happening {
                at: at + rng.between(SECOND, 10 * MINUTE),
                what: drop,
            });
        }
    }
    let told = rng.chance(50);
    let heal = What::Account(account, AccountChange::Heal { told });
    story.push(Happening {
        at: later(rng, at) + MINUTE,
        what: heal,
    });
}

fn destination(rng: &mut Rng, setup: &Setup, at: u64, story: &mut Vec<Happening>) {
    let destination = rng.index(setup.destinations);
    let change = match rng.below(10) {
        0 => DestinationChange::LoseAnswers(rng.between(20, 100)),
        1 => DestinationChange::Throttle(rng.pick(&[20 * SECOND, 10 * MINUTE, 50 * HOUR])),
        2 => DestinationChange::Fail,
        3 => DestinationChange::Flaky(rng.between(20, 80)),
        4 => DestinationChange::Hang,
        5 => DestinationChange::Reject,
        6 => DestinationChange::RejectSome(rng.between(10, 60)),
        7 => DestinationChange::RejectLast,
        _ => DestinationChange::Vanish,
    };
    story.push(Happening {
        at,
        what: What::Destination(destination, change),
    });
    let end = if rng.chance(40) {
        at + rng.between(HOUR, 30 * HOUR)
    } else {
        later(rng, at)
    };
    story.push(Happening {
        at: end,
        what: What::Destination(destination, DestinationChange::Heal),
    });
}

fn store(rng: &mut Rng, at: u64, story: &mut Vec<Happening>) {
    let change = match rng.below(4) {
        0 | 1 => StoreChange::Slow(rng.pick(&[200, 3 * SECOND, 30 * SECOND])),
        2 => StoreChange::Fail,
        _ => StoreChange::FailWritten,
    };
    story.push(Happening {
        at,
        what: What::Store(change),
    });
    let end = at + rng.between(SECOND, 20 * MINUTE);
    story.push(Happening {
        at: end,
        what: What::Store(StoreChange::Heal),
    });
}

fn reload(rng: &mut Rng, setup: &Setup, at: u64, story: &mut Vec<Happening>) {
    let machine = rng.index(setup.machines.len());
    let destination = rng.index(setup.destinations);
    let end = later(rng, at);
    let (change, back) = match rng.below(8) {
        0 | 1 => (
            Reload::RemoveHost(machine),
            Some(Reload::ReturnHost(machine)),
        ),
        2 => (
            Reload::RenameHost(machine),
            Some(Reload::ReturnHost(machine)),
        ),
        3 | 4 => (
            Reload::RemoveService(machine),
            Some(Reload::ReturnService(machine)),
        ),
        5 => (
            Reload::ChangeFor(machine, rng.pick(&[0, 20 * SECOND, 3 * MINUTE])),
            None,
        ),
        6 => (
            Reload::RemoveDestination(destination),
            Some(Reload::ReturnDestination(destination)),
        ),
        _ => (Reload::Same, None),
    };
    story.push(Happening {
        at,
        what: What::Reload(change),
    });
    if let Some(back) = back {
        story.push(Happening {
            at: end,
            what: What::Reload(back),
        });
    }
}
