//! What happens to the fleet while somebody watches: the same for the same seed.
//!
//! It begins with a few scenes that show each kind of outage within the first minute, and goes on with others at
//! random. Each has an end at which all is well again. Times are milliseconds of the story, which a speed makes
//! shorter.

use super::cast::Cast;
use super::host::{Condition, Difference};
use super::random::Random;
use super::world::{Target, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The time between two scenes, once the first ones are over.
const PAUSE: std::ops::Range<u64> = 4_000..14_000;
/// How long a scene takes.
const LENGTH: std::ops::Range<u64> = 20_000..60_000;
/// How long until a scene for which there was no host is tried again.
const AGAIN: u64 = 500;
/// Of the hosts that are well at first, one in so many may be in a scene at once.
const BUSY_ONE_IN: usize = 3;
/// How long a service takes to start.
const STARTING: u64 = 1_500;
/// How the other computer calls itself.
const IMPOSTOR: &str = "LAPTOP-7QK2M4";

/// A kind of outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scene {
    /// A service ends unexpectedly and comes back.
    Crash,
    /// A service ends with an error of its own, and those that need it with it.
    OwnError,
    /// Somebody stops a service.
    Stop,
    /// Somebody pauses a service.
    Pause,
    /// A service does not get on with starting.
    Hang,
    /// Somebody uninstalls a service.
    Uninstall,
    /// Our right to see a service goes.
    Hide,
    /// A host loses its power.
    HostDies,
    /// A host stops answering.
    HostSilent,
    /// A host does not let us in any more.
    HostDenies,
    /// Another computer answers in the place of a host.
    Impostor,
}

/// The scenes of the first minute, and when they begin.
const OPENING: [(u64, Scene); 9] = [
    (5_000, Scene::Crash),
    (10_000, Scene::OwnError),
    (15_000, Scene::HostDies),
    (20_000, Scene::Stop),
    (25_000, Scene::Impostor),
    (31_000, Scene::Pause),
    (38_000, Scene::Crash),
    (45_000, Scene::Uninstall),
    (52_000, Scene::HostSilent),
];

/// The scenes of later, each as often as it stands here.
const LATER: [Scene; 16] = [
    Scene::Crash,
    Scene::Crash,
    Scene::Crash,
    Scene::Crash,
    Scene::Crash,
    Scene::Crash,
    Scene::OwnError,
    Scene::OwnError,
    Scene::Stop,
    Scene::Pause,
    Scene::Hang,
    Scene::Uninstall,
    Scene::Hide,
    Scene::HostDies,
    Scene::HostSilent,
    Scene::HostDenies,
];

/// One thing that is done to the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Set(Target, Option<Difference>),
    Condition(usize, Condition),
    Boot(usize),
    Impostor(usize),
    /// A scene on this host is over.
    Over(usize),
    /// A scene begins.
    Begin(Scene),
}

/// What will happen.
#[derive(Debug)]
pub struct Story {
    world: Arc<World>,
    random: Random,
    well: Vec<usize>,
    impostors: Vec<usize>,
    busy: BTreeSet<usize>,
    /// By when, and then by the order in which they were thought of.
    acts: BTreeMap<(u64, u64), Act>,
    thought_of: u64,
    /// When a scene of later begins.
    next_scene: u64,
}

impl Story {
    /// The story of a world, for a seed.
    pub fn new(world: Arc<World>, cast: &Cast, seed: u64) -> Self {
        let mut story = Self {
            world,
            random: Random::new(seed),
            well: cast.well.clone(),
            impostors: cast.impostors.clone(),
            busy: BTreeSet::new(),
            acts: BTreeMap::new(),
            thought_of: 0,
            next_scene: 60_000,
        };
        for (at, scene) in OPENING {
            story.at(at, Act::Begin(scene));
        }
        story
    }

    /// When the next thing happens, in milliseconds from the beginning.
    pub fn next(&self) -> u64 {
        let next = self.acts.keys().next().map(|(at, _)| *at);
        next.map_or(self.next_scene, |at| at.min(self.next_scene))
    }

    /// Lets everything happen that is due by then.
    pub fn go_on(&mut self, until: u64) {
        loop {
            let next = self.next();
            if next > until {
                return;
            }
            if let Some(entry) = self.acts.first_entry()
                && entry.key().0 == next
            {
                let act = entry.remove();
                self.act(next, act);
            } else {
                let scene = self.random.pick(&LATER).copied().unwrap_or(Scene::Crash);
                self.begin(next, scene);
                self.next_scene = next + self.random.between(PAUSE.start, PAUSE.end);
            }
        }
    }

    fn at(&mut self, when: u64, act: Act) {
        self.thought_of += 1;
        self.acts.insert((when, self.thought_of), act);
    }

    fn act(&mut self, now: u64, act: Act) {
        match act {
            Act::Set(target, difference) => self.world.set(target, difference),
            Act::Condition(host, condition) => self.world.set_condition(host, condition),
            Act::Boot(host) => self.world.boot(host),
            Act::Impostor(host) if self.world.was_read(host) => {
                self.world.set_impostor(host, Some(IMPOSTOR));
            }
            // Only who has seen the right one notices that it is another.
            Act::Impostor(_) => self.at(now + AGAIN, act),
            Act::Over(host) => {
                self.busy.remove(&host);
            }
            Act::Begin(scene) => self.begin(now, scene),
        }
    }

    /// Begins a scene on a host that is well and was read already; else a little later.
    fn begin(&mut self, now: u64, scene: Scene) {
        if scene == Scene::Impostor {
            for host in self.impostors.clone() {
                self.at(now, Act::Impostor(host));
            }
            return;
        }
        let full = self.busy.len() * BUSY_ONE_IN >= self.well.len().max(BUSY_ONE_IN);
        if full {
            return;
        }
        let Some((host, targets)) = self.stage(scene) else {
            self.at(now + AGAIN, Act::Begin(scene));
            return;
        };
        let Some(first) = targets.first().copied() else {
            return;
        };
        self.busy.insert(host);
        let end = now + self.random.between(LENGTH.start, LENGTH.end);
        match scene {
            Scene::Crash => self.comes_back(now, end, first, Difference::stopped(1067, 0)),
            Scene::Stop => self.comes_back(now, end, first, Difference::stopped(0, 0)),
            Scene::OwnError => {
                let own = self.random.pick(&[1, 3, 17_058, 14_001]).copied();
                let stopped = Difference::stopped(1066, own.unwrap_or(1));
                self.comes_back(now, end, first, stopped);
                for (place, target) in (1..).zip(targets.iter().skip(1)) {
                    let later = place * 400;
                    self.comes_back(now + later, end + later, *target, Difference::stopped(0, 0));
                }
            }
            Scene::Pause => self.changes(now, end, first, Difference::PAUSED),
            Scene::Hang => self.changes(now, end + LENGTH.start, first, Difference::starting(1)),
            Scene::Uninstall => self.changes(now, end, first, Difference::Missing),
            Scene::Hide => self.changes(now, end, first, Difference::Hidden),
            Scene::HostDies => self.condition(now, end, host, Condition::Dead),
            Scene::HostSilent => self.condition(now, end, host, Condition::Silent),
            Scene::HostDenies => self.condition(now, end, host, Condition::DeniesAccess),
            Scene::Impostor => {}
        }
        // So that what it ended with has been told before it is in a scene again.
        self.at(end + LENGTH.end, Act::Over(host));
    }

    fn changes(&mut self, from: u64, to: u64, target: Target, difference: Difference) {
        self.at(from, Act::Set(target, Some(difference)));
        self.at(to, Act::Set(target, None));
    }

    fn comes_back(&mut self, from: u64, to: u64, target: Target, difference: Difference) {
        self.at(from, Act::Set(target, Some(difference)));
        let starting = Difference::starting(1);
        self.at(to, Act::Set(target, Some(starting)));
        self.at(to + STARTING, Act::Set(target, None));
    }

    fn condition(&mut self, from: u64, to: u64, host: usize, condition: Condition) {
        self.at(from, Act::Condition(host, condition));
        self.at(to, Act::Boot(host));
    }

    /// A host for a scene, and its services that are in it: the first one, then those that need it.
    fn stage(&mut self, scene: Scene) -> Option<(usize, Vec<Target>)> {
        // Looked for at random, so that among fifty thousand hosts nobody looks at all of them.
        for _ in 0..64 {
            let host = *self.random.pick(&self.well)?;
            if self.busy.contains(&host)
                || !self.world.is_at_rest(host)
                || !self.world.was_read(host)
            {
                continue;
            }
            let watched = self.world.watched(host);
            let with_dependents = |target: &Target| {
                let mut all = vec![*target];
                all.extend(
                    watched
                        .iter()
                        .filter(|other| self.world.needs(**other, *target)),
                );
                all
            };
            if scene == Scene::OwnError {
                let mut scenes: Vec<_> = watched.iter().map(with_dependents).collect();
                scenes.retain(|all| all.len() > 1);
                if let Some(all) = self.random.pick(&scenes) {
                    return Some((host, all.clone()));
                }
            } else if let Some(target) = self.random.pick(&watched) {
                return Some((host, vec![*target]));
            }
        }
        None
    }
}

/// Lets a story happen, so many times as fast as it is told. It does not end by itself.
pub async fn tell(mut story: Story, speed: f64) {
    let begun = Instant::now();
    loop {
        let next = Duration::from_millis(story.next()).div_f64(speed);
        sleep_until(begun + next).await;
        let now = begun.elapsed().mul_f64(speed).as_millis();
        story.go_on(u64::try_from(now).unwrap_or(u64::MAX).max(story.next()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(hosts: usize) -> (Arc<World>, Cast) {
        let world = Arc::new(World::new(hosts));
        let cast = Cast::new(&world, 1);
        cast.set_up(&world);
        for host in 0..hosts {
            world.host(host).unwrap().note_read();
        }
        (world, cast)
    }

    /// Every host's differences from being well, after each thing that happened until then.
    fn told(hosts: usize, seed: u64, until: u64) -> Vec<(u64, Vec<usize>)> {
        let (world, cast) = world(hosts);
        let mut story = Story::new(Arc::clone(&world), &cast, seed);
        let mut told = Vec::new();
        while story.next() <= until {
            let now = story.next();
            story.go_on(now);
            let ill = cast.well.iter().copied();
            told.push((now, ill.filter(|host| !world.is_at_rest(*host)).collect()));
        }
        told
    }

    #[test]
    fn a_seed_tells_the_same_story_each_time_and_another_tells_another() {
        assert_eq!(told(60, 3, 300_000), told(60, 3, 300_000));
        assert_ne!(told(60, 3, 300_000), told(60, 4, 300_000));
    }

    #[test]
    fn the_first_outage_comes_within_seconds_and_several_within_a_minute() {
        let story = told(200, 1, 60_000);
        let first = story.iter().find(|(_, ill)| !ill.is_empty()).unwrap().0;
        assert!(first <= 5_000, "{first}");
        let ill: BTreeSet<usize> = story.iter().flat_map(|(_, ill)| ill).copied().collect();
        assert!(ill.len() >= 6, "{ill:?}");
    }

    #[test]
    fn what_is_ill_gets_well_and_never_are_all_ill() {
        let hours = told(30, 9, 4 * 3_600_000);
        assert!(hours.len() > 2_000, "{}", hours.len());
        let worst = hours.iter().map(|(_, ill)| ill.len()).max();
        assert!(worst.is_some_and(|worst| worst <= 7), "{worst:?}");
        let well_again = hours.iter().filter(|(_, ill)| ill.is_empty()).count();
        assert!(well_again > 10, "{well_again}");
    }

    #[test]
    fn nothing_happens_to_a_host_that_nobody_has_read() {
        let world = Arc::new(World::new(30));
        let cast = Cast::new(&world, 1);
        let mut story = Story::new(Arc::clone(&world), &cast, 1);
        story.go_on(30_000);
        assert!(cast.well.iter().all(|host| world.is_at_rest(*host)));
        for host in &cast.well {
            world.host(*host).unwrap().note_read();
        }
        story.go_on(32_000);
        assert!(!cast.well.iter().all(|host| world.is_at_rest(*host)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_speed_makes_it_shorter() {
        let (world, cast) = world(30);
        let story = Story::new(Arc::clone(&world), &cast, 1);
        let telling = tokio::spawn(tell(story, 10.0));
        tokio::time::sleep(Duration::from_millis(450)).await;
        assert!(cast.well.iter().all(|host| world.is_at_rest(*host)));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!cast.well.iter().all(|host| world.is_at_rest(*host)));
        telling.abort();
    }
}
