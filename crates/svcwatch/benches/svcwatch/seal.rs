//! What sealing costs: 35 KB in packets of the usual size, once sealed, by NTLM and by Kerberos.

use crate::table::{Promise, Table};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use svcwatch::probe::seal::{kerberos, ntlm};
use svcwatch_wire::pdu::secure::Protection;

/// The part's name.
const PART: &str = "seal";

/// How often 35 KB are sealed.
const ROUNDS: u32 = 400;

/// The size of a call's header, of the body of a full packet, and of the trailer, in bytes.
const HEADER: usize = 24;
const BODY: usize = 4096;
const TRAILER: usize = 8;

/// How much is sealed, in bytes.
const SEALED: usize = 35 * 1024;

/// The promise, in microseconds of one core.
const PROMISED: f64 = 200.0;

pub(crate) fn measure(table: &mut Table) {
    let ntlm = ntlm::Keys::of_client(&[7; 16]).expect("keys of 16 bytes");
    line(table, "NTLM", ntlm);
    let kerberos = kerberos::Keys::of_key(18, vec![7; 32]).expect("a key of 32 bytes");
    line(table, "Kerberos (AES-256)", kerberos);
}

fn line(table: &mut Table, way: &str, mut keys: impl Protection) {
    let sizes: Vec<usize> = vec![BODY; SEALED / BODY]
        .into_iter()
        .chain([SEALED % BODY])
        .collect();
    let mut seal = || {
        for size in &sizes {
            let mut packet = vec![3; HEADER + size + TRAILER];
            let signature = keys.seal(&mut packet, HEADER..HEADER + size);
            black_box((packet, signature.expect("it can be sealed")));
        }
    };
    // Warm first.
    (0..ROUNDS / 10).for_each(|_| seal());
    let begun = cpu();
    (0..ROUNDS).for_each(|_| seal());
    let each = (cpu() - begun) / f64::from(ROUNDS);
    table.promised(
        PART,
        format!("sealing 35 KB by {way}, CPU"),
        each,
        (Promise::AtMost, PROMISED),
        |each| format!("{each:.0} µs"),
    );
}

/// The time that this process has computed, in microseconds.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of a measurement, and nanoseconds below a second"
    )]
    let (seconds, nanoseconds) = (time.tv_sec as f64, time.tv_nsec as f64);
    seconds * 1e6 + nanoseconds / 1e3
}
