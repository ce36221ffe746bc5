//! No decoder allocates more than its input justifies: a counting allocator watches the whole corpus and
//! messages that promise far more than they hold. One test only, so that nothing else allocates meanwhile.

#[path = "../../../fuzz/src/seeds.rs"]
mod seeds;
#[path = "../../../fuzz/src/wire.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate uses it as a library")]
mod wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use svcwatch_wire::scmr::{self, Reply};

/// Counts what is in use and keeps the peak.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`, which are those of the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above, which is the system's, with the same layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that a run has in use at its peak, beyond what was in use before.
fn peak(run: impl FnOnce()) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    run();
    PEAK.load(Ordering::Relaxed).saturating_sub(before)
}

/// What an input may cost: a small sum for errors and empty lists, and a multiple of its own size. The targets
/// encode what they decoded and decode it again, which is in the multiple.
fn allowed(input: usize) -> usize {
    16 * 1024 + 24 * input
}

/// A list of services whose entries all name the same text.
fn shared(entries: u32, units: u32) -> Vec<u8> {
    let at = entries * 44;
    let mut buffer = Vec::new();
    for _ in 0..entries {
        for word in [at, at, 16, 4, 0, 0, 0, 0, 0, 0, 0] {
            buffer.extend(u32::to_le_bytes(word));
        }
    }
    buffer.extend("n\0".repeat(usize::try_from(units).unwrap()).bytes());
    buffer.extend([0, 0]);
    let mut stub = u32::try_from(buffer.len()).unwrap().to_le_bytes().to_vec();
    stub.extend(buffer);
    stub.resize(stub.len().next_multiple_of(4), 0);
    for word in [0, entries, 0x0002_0000, 0, 0] {
        stub.extend(u32::to_le_bytes(word));
    }
    stub
}

#[test]
fn no_decoder_allocates_more_than_its_input_justifies() {
    for (target, name, bytes) in seeds::seeds() {
        let (_, run) = wire::TARGETS
            .into_iter()
            .find(|(of, _)| *of == target)
            .expect("the target of the seed");
        // Every word in turn promises the most that it can.
        for at in (0..=bytes.len()).step_by(if bytes.len() > 2000 { 64 } else { 1 }) {
            for value in [u32::MAX, 0x0003_ffff, 0x0000_ffff, 0] {
                let mut bytes = bytes.clone();
                for (to, from) in bytes.iter_mut().skip(at).zip(value.to_le_bytes()) {
                    *to = from;
                }
                let peak = peak(|| run(&bytes));
                assert!(
                    peak <= allowed(bytes.len()),
                    "{target}/{name} with {value:#x} at {at}: {peak} bytes for {}",
                    bytes.len()
                );
            }
        }
    }

    for (entries, units) in [(5800, 256), (60, 256), (5000, 1), (1, 256)] {
        let stub = shared(entries, units);
        let mut result = None;
        let peak = peak(|| result = Some(scmr::EnumServicesStatusExReply::decode(&stub)));
        assert!(peak <= 6 * stub.len() + 1024, "{entries} entries: {peak}");
        // The first two name more text than their buffer could hold twice.
        let taken = result.is_some_and(|result| result.is_ok());
        assert_eq!(taken, units == 1 || entries == 1);
    }
}
