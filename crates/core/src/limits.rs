//! Every bound of the deciding part, in one place.

use crate::time::Span;

/// What the carrier of the engine adds to its clock, so that no tick comes near zero: twenty years.
pub const TICK_ORIGIN: u64 = Span::hours(24 * 365 * 20).0;

/// Events that are applied together into one transaction, at most.
pub const BATCH_EVENTS_MAX: usize = 256;
/// How long until a failed commit is tried again.
pub const COMMIT_RETRY: Span = Span(1_000);

/// Services that are shown in one step after a start, about.
pub const SHOWN_AT_ONCE: usize = 10_000;

/// Hosts that answered last time and are being read at once, at most.
pub const LIVE_PROBES_MAX: usize = 256;
/// Hosts that did not answer last time and are being tried at once, at most.
pub const DEAD_PROBES_MAX: usize = 128;
/// How long after the time that a schedule says a host is read, at most, so that not all are read at once.
pub const OFFSET_MAX: Span = Span::seconds(30);
/// Rounds of a schedule that are counted as missed at once, at most.
pub const ROUNDS_COUNTED_MAX: u64 = 1_000;
/// How far away a round is that never comes.
pub const NEVER: Span = Span::hours(24 * 365 * 100);
/// Time between the first checks of two hosts after a start, so that a start is no storm of logons.
pub const FIRST_CHECKS_SPACING: Span = Span(20);
/// A second look at a host whose fault is not confirmed yet.
pub const FAULT_RETRY: Span = Span::seconds(5);
/// Readings that must agree before a fault of a host is believed.
pub const FAULT_CONFIRM: u32 = 2;
/// How long after its timeout a probe that has not answered is given up.
pub const PROBE_GRACE: Span = Span::seconds(5);
/// Services of one host that are looked at, at most; more is a protocol error.
pub const SERVICES_PER_HOST_MAX: usize = 20_000;
/// Services of one host that are watched, at most.
pub const TARGETS_PER_HOST_MAX: usize = 5_000;
/// How long a check of a live host may take until it takes a place among the dead.
pub const SLOW_PROBE: Span = Span::seconds(2);
/// Names that one check asks for besides the list, at most.
pub const ASKED_MAX: usize = 200;
/// How often the configuration of the watched services is read again.
pub const CONFIG_EVERY: Span = Span::hours(1);
/// In how many of those readings the configuration of the services that are listed but not watched is read again, each
/// of them once: some may by then start as an entry says.
pub const LISTED_ROUNDS: u64 = 24;

/// Hosts that must refuse the password, with no success between, until an account is paused.
pub const REFUSALS_MAX: usize = 3;
/// Time between the logons of hosts that waited for the account's first one.
pub const LOGON_SPACING: Span = Span(5);
/// How long after an accepted logon the others of its account need not take turns.
pub const PROVEN_FOR: Span = Span::minutes(1);
/// How long a host that refused a logon is left alone, and how often a paused account is tried.
pub const REFUSED_WAIT: Span = Span::hours(1);
/// How long a host is left alone that took a logon and denied its services, as it did before.
pub const DENIED_WAIT: Span = Span::minutes(5);

/// Guests that are known at once, at most: those that are being read, and those whose session is kept.
pub const GUESTS_MAX: usize = 256;
/// Guests that are being read or wait for it at once, at most.
pub const VISITS_MAX: usize = 32;
/// How long the session with a guest is kept that nobody asks for.
pub const GUEST_KEPT: Span = Span::minutes(5);
/// How long a guest is left alone that did not answer, so that it does not take up the places of others.
pub const GUEST_SILENT_WAIT: Span = Span::minutes(1);
/// Guests of one account that are remembered to have refused its password, at most; with so many no further one is tried.
pub const GUESTS_REFUSED_MAX: usize = 256;
/// Guests of one account that are left alone for other reasons, at most; with more the one is forgotten that would be
/// asked again first.
pub const GUESTS_RESTING_MAX: usize = 1_024;

/// A drop of the visible services that is told: more than one in so many …
pub const HIDDEN_ONE_IN: usize = 10;
/// … and at least so many.
pub const HIDDEN_MIN: usize = 5;

/// How long what is told of a host that is shutting down is held, at most.
pub const SHUTTING_DOWN_MAX: Span = Span::minutes(5);
/// How long a host that seems to be shutting down may go on answering, with no further service stopping, until it is
/// taken for one that does not.
pub const SHUTTING_DOWN_QUIET: Span = Span::minutes(1);
/// Watched services of a host that leave running within its `settle` time, from which on it is shutting down.
pub const SHUTTING_DOWN_LEFT: usize = 3;
/// Milliseconds that a host's uptime counts until it begins anew (2^32, 49.7 days).
pub const UPTIME_WRAP: u64 = 1 << 32;
/// How far a host's uptime may be from what our own clock says …
pub const UPTIME_SLACK: Span = Span::minutes(1);
/// … and one part in so many of the time that passed since the uptime was read, by which two clocks may drift apart.
pub const UPTIME_DRIFT_ONE_IN: u64 = 10_000;
/// Processes of a host that must have changed, all at once, to be a boot where its uptime says nothing. An account that
/// may see two services that are restarted together, as a database and its agent are, sees no boot in that.
pub const BOOT_PROCESSES_MIN: usize = 3;
/// Hosts that shut down or boot at the same time, from which on it is a night of reboots.
pub const NIGHT_HOSTS: usize = 3;
/// Time between two messages about a night of reboots.
pub const NIGHT_EVERY: Span = Span::minutes(5);
/// How long what did not come back on one host waits for the report of others that are still booting, at most.
pub const REPORT_WAIT_MAX: Span = Span::minutes(15);
/// How long ago a boot may be to count among those of a night after a start of ours.
pub const NIGHT_LENGTH: Span = Span::hours(1);

/// How long the first look after a start or a reload may take until it is told what is already wrong.
pub const FIRST_LOOK_MAX: Span = Span::minutes(2);
/// How long what was wrong at the first look, but is told only later, is gathered.
pub const FIRST_LOOK_FOLLOW: Span = Span::seconds(30);
/// Lines of a summary, at most; its counts are whole.
pub const SUMMARY_ITEMS_MAX: usize = 100;
/// Merged incidents that one notice names, at most.
pub const MERGED_MAX: usize = 100;

/// Deliveries under way to one recipient at one destination, at most.
pub const DELIVERIES_PER_RECIPIENT_MAX: usize = 4;
/// The first wait after a delivery that failed for now.
pub const RETRY_FIRST: Span = Span::seconds(1);
/// The longest wait between two tries.
pub const RETRY_MAX: Span = Span::minutes(5);
/// Notices that wait in one lane until they are merged, at most.
pub const WAITING_PER_LANE_MAX: usize = 32;
/// What a destination may ask us to wait, at least.
pub const RETRY_AFTER_MIN: Span = Span::seconds(1);
/// What a destination may ask us to wait, at most.
pub const RETRY_AFTER_MAX: Span = Span::hours(1);
/// How long a destination must fail for now until that is told through the others.
pub const DESTINATION_FAILING_AFTER: Span = Span::minutes(5);
/// Bytes of a rendered message, at most.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;
/// Characters of a destination's answer that are kept.
pub const ANSWER_CHARACTERS_MAX: usize = 300;
/// Characters of a cause that are kept.
pub const CAUSE_CHARACTERS_MAX: usize = 500;
/// Characters of what something was and is, where its change is told.
pub const CHANGED_CHARACTERS_MAX: usize = 120;
/// Characters of the note of an acknowledgement that are kept.
pub const NOTE_CHARACTERS_MAX: usize = 1_000;
/// How long after the last failure action that starts a service it may take to run.
pub const RECOVERY_SLACK: Span = Span::seconds(30);
/// How long a host is given to start a service again that has failed, at most.
pub const RECOVERY_MAX: Span = Span::minutes(15);
/// How long after a restart the next one still belongs to the same series.
pub const RESTARTS_SERIES: Span = Span::hours(24);
/// Names that one sentence names, at most.
pub const NAMES_TOLD_MAX: usize = 5;
/// Hosts of a group over which a service is counted, at most.
pub const GROUP_MEMBERS_MAX: usize = 1_000;
/// Silences that are not over, at most.
pub const SILENCES_MAX: usize = 20_000;
/// Patterns in the matcher of a silence, at most.
pub const SILENCE_PATTERNS_MAX: usize = 200;
/// Silences and windows whose hosts are looked for one by one when they begin or end; more concern every host.
pub const MUTES_SHOWN_EACH_MAX: usize = 8;
/// Services whose configuration is read in one go, at most.
pub const CONFIGS_PER_READ_MAX: usize = 400;
/// Distinct service names that are kept once for all hosts, at most.
pub const NAMES_MAX: usize = 1_000_000;
/// Distinct configurations of services that are kept once for all hosts, at most.
pub const DETAILS_MAX: usize = 1_000_000;

/// Services of one host that are heard at once, at most: each holds a pipe and a handle there.
pub const EARS_PER_HOST_MAX: usize = 8;
/// Services that are heard at once in all, at most.
pub const EARS_MAX: usize = 2_000;
/// Readings of a host that news leads to without a pause, at most …
pub const HEARD_READS_AT_ONCE: u64 = 5;
/// … and how often where news does not end.
pub const HEARD_READS_EVERY: Span = Span::seconds(1);
/// How long a registration must stand so that it is asked for again at once when it is lost.
pub const EAR_STANDS: Span = Span::minutes(1);
/// The first wait until one that was lost soon is asked for again, doubled each time …
pub const EAR_RETRY_FIRST: Span = Span::seconds(1);
/// … up to this.
pub const EAR_RETRY_MAX: Span = Span::minutes(5);
/// How long a host that refuses or does not know registrations is not asked again over the same session.
pub const EAR_REFUSED_WAIT: Span = Span::hours(6);

/// Hosts about which somebody waits for evidence, at most; what comes besides is explained by its reading alone.
pub const GATHER_HOSTS_MAX: usize = 5_000;
/// Services of one host that wait for evidence, at most.
pub const GATHER_WAITING_PER_HOST: usize = 64;
/// How long before it is given up a host must have answered, so that what it answered in part still counts.
pub const GATHER_SPARE: Span = Span(500);
/// How long a host that was not asked in time may still be asked after that.
pub const GATHER_LATE_MAX: Span = Span::minutes(10);
/// The part of a host's timeout, one in so many, for which its session may be held by who reads its event log: a check that
/// waits for it still has the rest.
pub const LOG_HOLDS_ONE_IN: u64 = 2;
/// Dependencies that the list of services lacks and that are asked for by their names, at most.
pub const DEPENDENCIES_ASKED_MAX: usize = 64;
/// Services about which one host is asked at once, at most.
pub const GATHERED_AT_ONCE: usize = 16;
/// Clues of one kind that are kept, at most.
pub const CLUES_OF_A_KIND: usize = 20;
/// Characters of a clue that are kept.
pub const CLUE_CHARACTERS_MAX: usize = 500;
/// Lines of history that are looked at for what changed, at most.
pub const CLUE_HISTORY_MAX: usize = 50;
/// How long before an incident opened the events may be that are about it: a service that ended is read only at the next
/// round. In milliseconds.
pub const EVENTS_BEFORE: i64 = 15 * 60 * 1_000;

/// Services that are being started on one host at once, at most.
pub const ACTS_PER_HOST_MAX: usize = 1;
/// Services that are being started at once in all, at most.
pub const ACTS_MAX: usize = 16;
/// How long a try may take until it is given up and nobody knows what it came to. Whoever carries it out ends it before.
pub const ACT_MAX: Span = Span::minutes(20);
/// How long the end of an incident waits for the answer of the try that is under way for it, at most. A service runs a
/// moment before that: until it has proved itself, and until what depends on it runs again.
pub const ACT_END_WAIT: Span = Span::seconds(30);
/// The longest pause between two tries for one service, unless its plan asks for a longer one.
pub const REMEDY_PAUSE_MAX: Span = Span::hours(1);
/// How often the pause between two tries is doubled, at most.
pub const REMEDY_DOUBLINGS_MAX: u32 = 16;
/// Tries for one incident that a plan may ask for, at most.
pub const REMEDY_ATTEMPTS_MAX: u32 = 100;
/// Tries that a budget may allow, at most.
pub const BUDGET_ACTS_MAX: u32 = 1_000;
/// The longest time of a budget. Tries are remembered for so long.
pub const BUDGET_WITHIN_MAX: Span = Span::hours(7 * 24);
/// Tries for its incident that a notice tells, at most: the newest.
pub const REMEDY_LINES_MAX: usize = 10;

/// How long one restart may take in all, unless it is said otherwise.
pub const RESTART_TIME: Span = Span::minutes(5);
/// How long it may be allowed to take, at most.
pub const RESTART_TIME_MAX: Span = Span::hours(1);
/// How long a service may be without progress while it stops or starts, or three of its own wait hints if that is longer.
pub const RESTART_STILL: Span = Span::seconds(30);
/// How long starting again what was stopped may take once the time is up.
pub const RESTART_AGAIN: Span = Span::minutes(1);
/// Services that one restart stops or starts beside the one asked for, at most, of either kind.
pub const RESTART_SERVICES_MAX: usize = 64;
/// How many services that depend on each other one restart follows, one after another.
pub const RESTART_DEPTH_MAX: usize = 16;
/// How long a service that is on its way is left alone until it is read again, at least.
pub const RESTART_POLL_MIN: Span = Span(100);
/// And at most.
pub const RESTART_POLL_MAX: Span = Span::seconds(2);
/// How long a service that was started may still count as stopped until that is a failure.
pub const RESTART_BEGINS: Span = Span::seconds(2);
/// How long a service must run after its start so that it is believed.
pub const RESTART_PROOF: Span = Span::seconds(1);
/// How often a control is tried that the host refuses for a moment only (1055, 1061), and the wait between.
pub const RESTART_REFUSALS_MAX: u32 = 20;
/// The wait between these tries, and between questions to a host that does not answer.
pub const RESTART_RETRY: Span = Span::seconds(1);
/// How long a host may not answer in the middle of a restart until it is given up, and how long a control without an
/// answer may show no effect.
pub const RESTART_LOST: Span = Span::seconds(30);
/// Notes of one restart, at most.
pub const RESTART_NOTES_MAX: usize = 32;
