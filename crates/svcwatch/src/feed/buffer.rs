//! What waits for a feed: the newest readings, within a bound of bytes and of age. Pure, but for the moments that it is
//! given.

use super::Reading;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// Bytes that the buffer of one feed takes, about, at most.
pub const BYTES_MAX: usize = 256 * 1_024 * 1_024;
/// The age at which a reading is given up.
pub const AGE_MAX: Duration = Duration::from_hours(1);

/// The readings of one host at one moment, shared by all feeds.
#[derive(Debug, Clone)]
pub struct Item {
    /// The readings.
    pub readings: Arc<[Reading]>,
    /// Every transition up to this record of history stands in an item before it, or in this one.
    pub record: u64,
    /// No transition in it has a greater record than this.
    pub upto: u64,
    /// When it was pushed.
    pub pushed: Instant,
}

impl Item {
    /// An item of a batch that is being shown: all before the batch has been shown, and none of it is beyond the last
    /// record that is durable.
    pub const fn new(readings: Arc<[Reading]>, shown: u64, durable: u64, pushed: Instant) -> Self {
        Self {
            readings,
            record: shown,
            upto: durable,
            pushed,
        }
    }

    /// The bytes that it takes. Its texts belong to the engine and are there anyway.
    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.readings)
    }

    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.pushed) > AGE_MAX
    }
}

/// What waits for one feed.
#[derive(Debug)]
pub struct Buffer {
    items: VecDeque<Item>,
    bytes: usize,
    bytes_max: usize,
    readings: usize,
    /// Up to which record transitions may be missing, because readings were given up.
    missed: Option<u64>,
}

/// What a feed is to do next.
#[derive(Debug)]
pub enum Work {
    /// Nothing.
    Nothing,
    /// To send transitions again from history, up to this record.
    Missed(u64),
    /// To send these.
    Readings(Vec<Item>),
}

impl Buffer {
    /// An empty buffer of so many bytes, whose feed may miss transitions up to a record.
    pub const fn new(bytes_max: usize, missed: Option<u64>) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            bytes_max,
            readings: 0,
            missed,
        }
    }

    /// Adds an item. Gives the number of readings that were given up for it.
    pub fn push(&mut self, item: Item, now: Instant) -> usize {
        self.add(item);
        let mut dropped = 0;
        while let Some(oldest) = self.items.front()
            && (self.bytes > self.bytes_max || oldest.is_old(now))
        {
            dropped += self.drop_oldest();
        }
        dropped
    }

    /// Adds an item where nothing has to be given up for it; whether that was so.
    pub fn push_where_there_is_room(&mut self, item: Item) -> bool {
        let fits = self.bytes.saturating_add(item.bytes()) <= self.bytes_max;
        if fits {
            self.add(item);
        }
        fits
    }

    fn add(&mut self, item: Item) {
        self.bytes = self.bytes.saturating_add(item.bytes());
        self.readings = self.readings.saturating_add(item.readings.len());
        self.items.push_back(item);
    }

    fn drop_oldest(&mut self) -> usize {
        let Some(item) = self.pop() else { return 0 };
        self.missed(item.upto);
        item.readings.len()
    }

    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.bytes());
        self.readings = self.readings.saturating_sub(item.readings.len());
        Some(item)
    }

    /// Transitions up to this record may be missing.
    pub fn missed(&mut self, upto: u64) {
        self.missed = Some(self.missed.map_or(upto, |known| known.max(upto)));
    }

    /// What to do next: what is missing goes before what came after it. At most about so many readings.
    pub fn take(&mut self, most: usize) -> Work {
        if let Some(upto) = self.missed
            && !self.items.is_empty()
        {
            return Work::Missed(upto);
        }
        let mut items = Vec::new();
        let mut count = 0_usize;
        while count < most
            && let Some(item) = self.pop()
        {
            count = count.saturating_add(item.readings.len());
            items.push(item);
        }
        if items.is_empty() {
            Work::Nothing
        } else {
            Work::Readings(items)
        }
    }

    /// Transitions up to this record were sent again.
    pub fn caught_up(&mut self, upto: u64) {
        if self.missed.is_some_and(|missed| missed <= upto) {
            self.missed = None;
        }
    }

    /// How many readings wait.
    pub const fn len(&self) -> usize {
        self.readings
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::samples::reading;
    use svcwatch_core::observe::State;

    fn item(record: u64, readings: usize, pushed: Instant) -> Item {
        let all: Vec<Reading> = (0..readings)
            .map(|number| reading("h", &format!("s{number}"), State::Running))
            .collect();
        Item::new(Arc::from(all), record, record + 1, pushed)
    }

    #[test]
    fn the_oldest_goes_where_there_is_no_room_and_its_transitions_are_owed() {
        let now = Instant::now();
        let room = item(0, 10, now).bytes() * 3;
        let mut buffer = Buffer::new(room, None);
        for record in [5, 7, 7] {
            assert_eq!(buffer.push(item(record, 10, now), now), 0);
        }
        assert_eq!(buffer.push(item(9, 10, now), now), 10);
        assert_eq!(buffer.len(), 30);
        assert!(
            matches!(buffer.take(100), Work::Missed(6)),
            "first what is missing"
        );
        buffer.caught_up(5);
        assert!(matches!(buffer.take(100), Work::Missed(6)));
        buffer.caught_up(6);
        let Work::Readings(items) = buffer.take(20) else {
            panic!("readings follow");
        };
        assert_eq!(items.len(), 2, "about as many as were asked for");
        assert!(matches!(buffer.take(20), Work::Readings(items) if items.len() == 1));
        assert!(matches!(buffer.take(20), Work::Nothing) && buffer.is_empty());
        assert_eq!((buffer.len(), buffer.bytes), (0, 0));
    }

    #[test]
    fn what_is_too_old_goes_too() {
        let now = Instant::now();
        let mut buffer = Buffer::new(BYTES_MAX, None);
        buffer.push(item(1, 3, now), now);
        let later = now + AGE_MAX + Duration::from_secs(1);
        assert_eq!(buffer.push(item(2, 3, later), later), 3);
        assert_eq!(buffer.len(), 3);
    }

    #[test]
    fn a_start_waits_for_the_first_reading_before_it_looks_into_history() {
        let now = Instant::now();
        let mut buffer = Buffer::new(BYTES_MAX, Some(4));
        assert!(matches!(buffer.take(1), Work::Nothing));
        buffer.push(item(4, 1, now), now);
        assert!(matches!(buffer.take(1), Work::Missed(4)));
    }

    #[test]
    fn one_item_that_is_larger_than_the_bound_is_given_up() {
        let now = Instant::now();
        let mut buffer = Buffer::new(10, None);
        assert_eq!(buffer.push(item(3, 2, now), now), 2);
        assert!(buffer.is_empty());
    }
}
