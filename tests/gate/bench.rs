//! Does the work that the instruction gate counts: `gate CASE UNITS` does so many units of one kind of work and ends.
//!
//! `.ci/gate` runs this program under callgrind twice, with N and with 2N units, and gates the difference for each
//! unit, so that start-up does not count. Everything is seeded; time stands still for timers and is moved by hand for
//! the rest. The allocator is the product's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod commits;
mod engine;
mod replies;
mod words;

use std::sync::mpsc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(case), Some(units)) = (arguments.next(), arguments.next().and_then(|units| units.parse().ok())) else {
        println!("usage: gate CASE UNITS");
        return;
    };
    fastrand::seed(1);
    match case.as_str() {
        "reply_every" => in_still_time(replies::every(units)),
        "reply_natural" => in_still_time(replies::natural(units)),
        "prompt" => engine::prompt(units),
        "director" => engine::director(units),
        "link" => engine::link(units),
        "decode" => engine::decode(units),
        "commit_1" => in_still_time(commits::of(1, units)),
        "commit_8" => in_still_time(commits::of(8, units)),
        "commit_64" => in_still_time(commits::of(64, units)),
        other => panic!("no case {other:?}"),
    }
}

/// Runs the work on one thread, with timers that never fire: the machine's speed must not change the amount of work.
fn in_still_time(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (over, until_over) = mpsc::channel::<()>();
    runtime.block_on(async {
        // tokio moves paused time on by itself whenever it has nothing to do, but for as long as a blocking task runs.
        let pin = tokio::task::spawn_blocking(move || until_over.recv().unwrap_or_default());
        work.await;
        drop(over);
        pin.await.unwrap();
    });
}
