//! Prints what a search costs: milliseconds per exact scan on one core, and with clusters, with the share of the
//! nearest that the latter finds.
//!
//! `cargo run --release -p nodetool-sdk --example vector_search [vectors] [dimensions]`

use std::time::{Duration, Instant};

use nodetool_sdk::search::{Clusters, Vectors};

const QUERIES: usize = 50;
const NEAREST: usize = 10;
const TOPICS: usize = 500;

/// Numbers between -1 and 1 that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn vector(&mut self, dimensions: usize) -> Vec<f32> {
        let next = |_| {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            ((self.0 >> 40) as f32) / ((1u32 << 23) as f32) - 1.0
        };
        (0..dimensions).map(next).collect()
    }
}

fn add(a: &[f32], b: &[f32], share: f32) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b * share).collect()
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let ms = |at: usize| times.get(at).map_or(f64::NAN, |t| t.as_secs_f64() * 1e3);
    let last = times.len().saturating_sub(1);
    println!(
        "{what}: p50 {:.2} ms, p95 {:.2} ms, best {:.2} ms",
        ms(last / 2),
        ms(last * 95 / 100),
        ms(0)
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(50_000), |a| a.parse())?;
    let dimensions: usize = arguments.next().map_or(Ok(384), |a| a.parse())?;
    let mut numbers = Numbers(1);
    let topics: Vec<_> = (0..TOPICS).map(|_| numbers.vector(dimensions)).collect();
    let mut vectors = Vectors::new(dimensions);
    for at in 0..count {
        let noise = numbers.vector(dimensions);
        vectors.push(&add(&topics[at % TOPICS], &noise, 0.5))?;
    }
    let queries: Vec<_> = (0..QUERIES)
        .map(|at| add(&topics[at * 7 % TOPICS], &numbers.vector(dimensions), 0.5))
        .collect();
    let (mut exact, mut times) = (Vec::new(), Vec::new());
    for query in &queries {
        let began = Instant::now();
        exact.push(vectors.nearest(query, NEAREST, |_| true)?);
        times.push(began.elapsed());
    }
    report(&format!("exact, {count} x {dimensions}"), &mut times);
    let began = Instant::now();
    let clusters = Clusters::of(&vectors, 2, || false).ok_or("the sorting was stopped")?;
    println!("clusters made in {:.2} s", began.elapsed().as_secs_f64());
    let (mut found, mut times) = (0, Vec::new());
    for (query, exact) in queries.iter().zip(&exact) {
        let began = Instant::now();
        let quick = clusters.nearest(query, NEAREST, |_| true)?;
        times.push(began.elapsed());
        found += exact.iter().filter(|n| quick.contains(n)).count();
    }
    report(&format!("clusters, {count} x {dimensions}"), &mut times);
    println!(
        "recall at {NEAREST}: {:.3}",
        found as f64 / (QUERIES * NEAREST) as f64
    );
    Ok(())
}
