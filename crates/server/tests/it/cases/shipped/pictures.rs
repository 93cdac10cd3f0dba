//! Workflows that make pictures and videos.

use nodetool_protocol::{Value, encode_data_uri};
use nodetool_sdk::models::Role;

use super::super::media::{plain, summary};
use super::stage::Stage;
use super::studio::{SIDES, colour, film, said};

/// The mean colour of a picture that was summed up.
fn mean(picture: &Value) -> Vec<f64> {
    let means = picture.get("mean_rgb").and_then(Value::as_list);
    let means = means.unwrap_or_else(|| panic!("no picture: {picture:?}"));
    means.iter().filter_map(Value::as_f64).collect()
}

fn near(got: &[f64], want: [f64; 3], distance: f64) -> bool {
    got.len() == 3 && got.iter().zip(want).all(|(g, w)| (g - w).abs() <= distance)
}

fn size(picture: &Value) -> (i64, i64) {
    let side = |name: &str| {
        picture
            .get(name)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    (side("width"), side("height"))
}

#[tokio::test]
async fn a_brief_becomes_art_direction_variations_a_board_and_feedback() {
    let Some(played) = Stage::of("concept-art-iteration-board").play().await else {
        return;
    };
    let played = played.completed();
    let direction = "A towering guardian of bark and moss, low camera, emerald and amber palette, branching silhouette.";
    assert_eq!(played.output("art_direction"), [direction.into()]);
    let prompts = played.asked.prompts();
    assert_eq!(prompts.len(), 3);
    let with = |start: &str| {
        let found = prompts.iter().find(|p| p.contains(start));
        found.unwrap_or_else(|| panic!("{start} in {prompts:?}"))
    };
    assert!(with("creative director for concept art").contains("Mood: mysterious, ancient"));
    let list = with("unique concept art prompts");
    assert!(
        list.contains("generate 6 unique") && list.contains(direction),
        "{list}"
    );
    let review = with("Review these concept art explorations");
    assert!(
        review.contains("Number of Variations: 6") && review.contains(direction),
        "{review}"
    );
    let feedback = played.output("iteration_feedback");
    assert!(
        feedback[0]
            .as_str()
            .unwrap()
            .starts_with("The kneeling and the dawn studies")
    );
    let images = &played.asked.images;
    assert_eq!(images.len(), 6);
    for (number, image) in images.iter().enumerate() {
        let study = format!("Forest guardian, study {}:", number + 1);
        assert!(image.prompt.starts_with(&study), "{}", image.prompt);
        assert_eq!(
            (image.width, image.height, image.seed),
            (Some(1024), Some(1024), None)
        );
        assert_eq!(
            (image.guidance_scale, image.num_inference_steps),
            (Some(7.5), Some(30))
        );
    }
    let colours: Vec<[f64; 3]> = images
        .iter()
        .map(|i| colour(&i.prompt).map(f64::from))
        .collect();
    let variations = played.seen("concept_variations");
    let variations = variations[0].as_list().unwrap();
    assert_eq!(variations.len(), 6);
    for (variation, colour) in variations.iter().zip(&colours) {
        assert!(
            near(&mean(variation), *colour, 0.5),
            "{variation:?} {colour:?}"
        );
    }
    // Three columns and two rows of them.
    let board = played.seen("mood_board");
    assert_eq!(board.len(), 1);
    assert_eq!(
        size(&board[0]),
        (i64::from(SIDES.0) * 3, i64::from(SIDES.1) * 2)
    );
    let all = [0, 1, 2].map(|i| colours.iter().map(|c| c[i]).sum::<f64>() / 6.0);
    assert!(near(&mean(&board[0]), all, 1.0), "{board:?} {all:?}");
}

#[tokio::test]
async fn photos_of_a_folder_are_adjusted_and_then_redrawn_one_by_one() {
    let stage = Stage::of("photo-enhancement-suite")
        .file("photos/b-red.png", plain((32, 24), [200, 50, 50]))
        .file("photos/a-grey.png", plain((32, 24), [100, 100, 100]))
        .file("photos/notes.txt", b"no photo".to_vec());
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    let paths = played.output("source_paths");
    let want = ["photos/a-grey.png", "photos/b-red.png"].map(Value::from);
    assert_eq!(paths, [Value::list(want)]);
    let images = &played.asked.images;
    assert_eq!(images.len(), 2);
    for image in images {
        assert!(
            image.prompt.starts_with("Enhance this photo"),
            "{}",
            image.prompt
        );
        assert_eq!(
            (image.strength, image.guidance_scale),
            (Some(0.3), Some(7.0))
        );
        assert_eq!((image.width, image.height), (Some(512), Some(512)));
        assert_eq!(image.sources.len(), 1);
    }
    // The model gives back what it was sent. Brightness 1.05 and colour 1.2: a plain grey gets brighter, a plain red
    // also redder; the other steps change nothing in pictures of one colour.
    let enhanced = played.seen("enhanced_photos");
    let enhanced = enhanced[0].as_list().unwrap();
    assert_eq!(enhanced.len(), 2);
    for (photo, want) in enhanced.iter().zip([[105.0; 3], [232.0, 42.5, 42.5]]) {
        assert_eq!(size(photo), (32, 24));
        assert!(near(&mean(photo), want, 1.5), "{photo:?} {want:?}");
    }
}

/// An input of the story's file that nothing is connected to: it has no name, and its value is no text.
const STRAY: &str = "1ea43f6c-cdba-4194-93db-b0ce982c5456";

#[tokio::test]
async fn a_story_as_it_was_shipped_says_which_of_its_inputs_is_wrong() {
    let Some(played) = Stage::of("story-to-video-generator").play().await else {
        return;
    };
    assert_eq!(played.ran.status, "failed");
    let error = &played.ran.error;
    for part in [STRAY, "must have a non-empty name", "(expected str)"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(played.asked.chats.is_empty());
}

#[tokio::test]
async fn a_theme_becomes_a_prompt_and_the_prompt_a_video() {
    let theme = "A lighthouse keeper who collects storms";
    let stage = Stage::of("story-to-video-generator")
        .without(STRAY)
        .given("story_theme", theme);
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    let asked = &played.asked.chats[0];
    let want = format!("Transform this story theme into a cinematic video prompt: {theme}");
    assert_eq!(said(asked, Role::User), want);
    assert!(said(asked, Role::System).starts_with("You are a professional video prompt engineer"));
    assert_eq!(asked.max_tokens, Some(300));
    let [video] = &played.asked.videos[..] else {
        panic!("{:?}", played.asked.videos)
    };
    assert!(
        video
            .prompt
            .starts_with("Slow tracking shot behind a lone astronaut")
    );
    assert_eq!(
        played.preview("prompt_preview"),
        [video.prompt.as_str().into()]
    );
    assert_eq!(
        (video.aspect_ratio.as_deref(), video.resolution.as_deref()),
        (Some("16:9"), Some("720p"))
    );
    assert_eq!((video.num_frames, video.seed), (Some(60), None));
    let given = played.output("generated_video");
    assert_eq!(given.len(), 1);
    let uri = encode_data_uri("video/mp4", &film());
    assert_eq!(
        (given[0].type_tag(), given[0].get("uri")),
        (Some("video"), Some(&uri.into()))
    );
    assert_eq!(summary(&given[0]), given[0]);
}
