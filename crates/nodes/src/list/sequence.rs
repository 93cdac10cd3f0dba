//! `nodetool.list.ListRange` and `nodetool.list.GenerateSequence`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Process};

use crate::bounds;

/// Most integers one sequence streams.
const MAX_STREAMED: u64 = 100_000_000;

/// Emissions between two chances for other work.
const STRIDE: u64 = 1024;

/// Evenly spaced integers, the end left out.
pub(super) struct Span {
    next: i64,
    step: i64,
    left: u64,
}

impl Span {
    /// From `start` before `stop`; nothing for a step of zero.
    pub(super) fn new(start: i64, stop: i64, step: i64) -> Option<Span> {
        let distance = i128::from(stop) - i128::from(start);
        let step_size = i128::from(step);
        let left = match step {
            0 => return None,
            _ if (distance > 0) == (step > 0) && distance != 0 => {
                // Rounded up; both have one sign, so both are counted without it.
                distance.abs().div_euclid(step_size.abs())
                    + i128::from(distance.abs().rem_euclid(step_size.abs()) != 0)
            }
            _ => 0,
        };
        Some(Span {
            next: start,
            step,
            left: u64::try_from(left).unwrap_or(u64::MAX),
        })
    }

    /// So many from zero on; none when negative.
    pub(super) fn counting(count: i64) -> Span {
        Span {
            next: 0,
            step: 1,
            left: u64::try_from(count).unwrap_or(0),
        }
    }

    /// How many are left.
    pub(super) fn len(&self) -> u64 {
        self.left
    }
}

impl Iterator for Span {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        let now = self.next;
        // The one after the last may lie beyond the integers; it is never given.
        self.next = now.wrapping_add(self.step);
        Some(now)
    }
}

fn span(start: i64, stop: i64, step: i64) -> Result<Span, NodeError> {
    Span::new(start, stop, step).ok_or_else(|| NodeError::bad("step", "step must not be 0"))
}

/// Gives a list of evenly spaced integers.
/// list, range, sequence, numbers, steps
///
/// From `start` on, before `stop`; a negative step counts down.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct ListRange {
    /// First integer.
    start: i64,
    /// End, itself left out.
    stop: i64,
    /// Distance.
    #[prop(default = 1)]
    step: i64,
}

impl Process for ListRange {
    type Output = Vec<i64>;

    async fn process(self, _: &NodeCx) -> Result<Vec<i64>, NodeError> {
        let span = span(self.start, self.stop, self.step)?;
        let length = usize::try_from(span.len()).unwrap_or(usize::MAX);
        bounds::check_items("stop", length)?;
        bounds::work(length, move || Ok(span.collect())).await
    }
}

/// Sends evenly spaced integers one by one.
/// sequence, range, stream, numbers, count, loop
///
/// From `start` on, before `stop`; a negative step counts down.
#[derive(Node)]
#[node(namespace = "nodetool.list", kind = Generate)]
pub(super) struct GenerateSequence {
    /// First integer.
    start: i64,
    /// End, itself left out.
    stop: i64,
    /// Distance.
    #[prop(default = 1)]
    step: i64,
}

impl Generate for GenerateSequence {
    type Output = i64;

    async fn generate(self, out: &Emitter<'_, i64>, _: &NodeCx) -> Result<(), NodeError> {
        let span = span(self.start, self.stop, self.step)?;
        if span.len() > MAX_STREAMED {
            return Err(NodeError::bad(
                "stop",
                format!(
                    "the sequence would have {} items (expected at most {MAX_STREAMED})",
                    span.len()
                ),
            ));
        }
        for (i, number) in (1u64..).zip(span) {
            out.emit(number).await?;
            if i % STRIDE == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[test]
    fn spans_hold_what_python_ranges_hold() {
        for (start, stop, step, want) in [
            (0, 5, 2, vec![0, 2, 4]),
            (5, 0, -2, vec![5, 3, 1]),
            (0, 5, -1, vec![]),
            (5, 5, 1, vec![]),
            (i64::MAX - 1, i64::MAX, 5, vec![i64::MAX - 1]),
            (
                i64::MIN,
                i64::MAX,
                i64::MAX,
                vec![i64::MIN, -1, i64::MAX - 1],
            ),
            (i64::MAX, i64::MIN, i64::MIN, vec![i64::MAX, -1]),
        ] {
            let span = Span::new(start, stop, step).unwrap();
            assert_eq!(span.len(), want.len() as u64, "{start} {stop} {step}");
            assert_eq!(span.collect::<Vec<_>>(), want, "{start} {stop} {step}");
        }
        assert_eq!(Span::new(i64::MIN, i64::MAX, 1).unwrap().len(), u64::MAX);
        assert!(Span::new(0, 1, 0).is_none());
    }

    #[tokio::test]
    async fn ranges_beyond_the_bound_are_refused() {
        for stop in [10_000_001, i64::MAX] {
            let e = case::<ListRange>()
                .set("stop", stop)
                .value()
                .await
                .unwrap_err();
            assert!(e.to_string().contains("`stop`"), "{e}");
        }
        let case = case::<GenerateSequence>().set("stop", i64::MAX);
        assert!(case.output().await.is_err());
    }
}
