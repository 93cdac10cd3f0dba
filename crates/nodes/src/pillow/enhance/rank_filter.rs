//! `lib.pillow.enhance.RankFilter`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, edit, whole};

/// Most pixels that are looked at, times the rows of a window each: some seconds of work.
const MAX_WORK: u64 = 1 << 31;

/// Puts in place of each pixel the one of a given rank around it.
/// image, rank, median, minimum, maximum, noise
///
/// In a window of 3, rank 4 is the median and 8 the lightest value.
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct RankFilter {
    /// The picture.
    image: ImageRef,
    /// Side of the window in pixels: an odd number.
    #[prop(default = 3, min = 1, max = 512)]
    size: i64,
    /// Which of the sorted values of the window, from 0.
    #[prop(default = 3, min = 1, max = 512)]
    rank: i64,
}

impl Process for RankFilter {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let size = whole("size", self.size, 1, 512)?;
        if size % 2 == 0 {
            let message =
                format!("{size} (expected an odd number, so that a pixel is in the middle)");
            return Err(NodeError::bad("size", message));
        }
        let rank = whole("rank", self.rank, 0, size * size - 1)?;
        edit(cx, &self.image, move |picture| {
            let work = picture.pixels.len() as u64 / 4 * u64::from(size);
            if work > MAX_WORK {
                let message = format!("{size} is too large a window for so large a picture");
                return Err(NodeError::bad("size", message));
            }
            Ok(filter(&picture, size as usize, rank))
        })
        .await
    }
}

/// Beyond the border the picture goes on as it ends.
fn filter(picture: &Picture, size: usize, rank: u32) -> Picture {
    let (width, height) = (
        picture.pixels.width() as usize,
        picture.pixels.height() as usize,
    );
    let from = picture.pixels.as_raw();
    let mut filtered = picture.clone();
    let to: &mut [u8] = &mut filtered.pixels;
    let reach = size / 2;
    for channel in 0..3 {
        // One column of the window, looked up where it goes in and where it goes out.
        let value = |x: usize, y: usize| {
            let x = x.saturating_sub(reach).min(width - 1);
            let y = y.saturating_sub(reach).min(height - 1);
            usize::from(from[(y * width + x) * 4 + channel])
        };
        for y in 0..height {
            let mut window = Window::default();
            for x in 0..size {
                (y..y + size).for_each(|y| window.add(value(x, y)));
            }
            for x in 0..width {
                let place = (y * width + x) * 4 + channel;
                to[place] = window.at(rank);
                if x + 1 < width {
                    (y..y + size).for_each(|y| window.remove(value(x, y)));
                    (y..y + size).for_each(|y| window.add(value(x + size, y)));
                }
            }
        }
    }
    filtered
}

/// The values of a window, counted; the place of the last answer is kept, for the next is near it.
struct Window {
    counts: [u32; 256],
    at: usize,
    /// How many values are below `at`.
    below: u32,
}

impl Default for Window {
    fn default() -> Self {
        Window {
            counts: [0; 256],
            at: 0,
            below: 0,
        }
    }
}

impl Window {
    fn add(&mut self, value: usize) {
        self.counts[value] += 1;
        self.below += u32::from(value < self.at);
    }

    fn remove(&mut self, value: usize) {
        self.counts[value] -= 1;
        self.below -= u32::from(value < self.at);
    }

    fn at(&mut self, rank: u32) -> u8 {
        while self.below > rank {
            self.at -= 1;
            self.below -= self.counts[self.at];
        }
        while self.below + self.counts[self.at] <= rank {
            self.below += self.counts[self.at];
            self.at += 1;
        }
        self.at as u8
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    #[test]
    fn every_rank_is_what_sorting_says() {
        let image = painted(7, 5, |x, y| {
            [(x * 37 + y * 91) as u8, 3, (x * y) as u8, 255]
        });
        let picture = seen(&image.0);
        for rank in [0, 4, 8] {
            let filtered = filter(&picture, 3, rank);
            for (x, y, pixel) in filtered.pixels.enumerate_pixels() {
                let mut around: Vec<u8> = Vec::new();
                for dy in 0..3u32 {
                    for dx in 0..3u32 {
                        let (x, y) = ((x + dx).max(1) - 1, (y + dy).max(1) - 1);
                        around.push(picture.pixels.get_pixel(x.min(6), y.min(4))[0]);
                    }
                }
                around.sort_unstable();
                assert_eq!(pixel[0], around[rank as usize], "{x} {y} rank {rank}");
            }
        }
    }

    #[tokio::test]
    async fn windows_without_a_middle_and_ranks_beyond_them_are_refused() {
        let image = painted(2, 2, |_, _| [1, 2, 3, 255]);
        for (name, size, rank) in [("`size`", 4i64, 3i64), ("`rank`", 3, 9)] {
            let run = case::<RankFilter>().set("image", image.0.clone());
            let refused = run.set("size", size).set("rank", rank).run().await;
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }
}
