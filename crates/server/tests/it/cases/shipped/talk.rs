//! Workflows that write: stories, summaries, briefings.

use nodetool_protocol::Value;
use nodetool_sdk::models::{ResponseFormat, Role};

use super::stage::Stage;
use super::studio::said;

/// A feed of three entries.
const FEED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Europe</title><link>https://example.org/</link>
<item><title>Ferries return to the strait</title><link>https://example.org/1</link><description>One.</description></item>
<item><title><![CDATA[Rail link opens & runs]]></title><link>https://example.org/2</link></item>
<item><title>Olive harvest is late</title><link>https://example.org/3</link></item>
</channel></rss>"#;

#[tokio::test]
async fn story_ideas_leave_one_by_one_and_are_about_what_was_filled_in() {
    let stage = Stage::of("creative-story-ideas").given("Genre", "Fantasy and Folklore");
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    let prompt = &played.asked.prompts()[0];
    for part in [
        "Genre: Fantasy and Folklore",
        "Main Character: Reluctant Hero",
        "Setting: Floating Sky Islands",
    ] {
        assert!(prompt.contains(part), "{prompt}");
    }
    assert_eq!(played.asked.chats.len(), 1);
    assert_eq!(played.asked.chats[0].max_tokens, Some(2048));
    let shown = played.preview("preview_prompt");
    let formatted = shown[0].as_str().unwrap();
    assert!(prompt.contains(formatted), "{prompt}");
    let ideas = played.preview("preview_stories");
    let titles: Vec<&str> = ideas
        .iter()
        .filter_map(|idea| idea.as_str()?.split_once(':').map(|(title, _)| title))
        .collect();
    let want = [
        "Wind Ledger",
        "Anchor",
        "Featherweight",
        "Cloud Orchard",
        "Downward",
    ];
    assert_eq!(titles.len(), want.len(), "{ideas:?}");
    for (title, want) in titles.iter().zip(want) {
        assert!(title.contains(want), "{title}");
    }
}

#[tokio::test]
async fn the_entries_of_a_feed_are_summed_up_together() {
    let place = "feeds.bbci.co.uk/news/world/europe/rss.xml";
    let stage = Stage::of("summarize-rss").page(place, "application/rss+xml", FEED);
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    assert_eq!(played.network.asked(), [place]);
    let titles = "Ferries return to the strait---Rail link opens & runs---Olive harvest is late";
    assert_eq!(played.asked.prompts(), [titles]);
    let system = said(&played.asked.chats[0], Role::System);
    assert!(
        system.starts_with("You are an expert summarizer."),
        "{system}"
    );
    let summary = "- **Transport**: ferries are back and a rail link has opened.\n- **Farming**: the olives are late.";
    assert_eq!(played.preview("578ff15c"), [Value::from(summary)]);
}

/// A PDF of one line for each page.
fn pdf(lines: &[&str]) -> Vec<u8> {
    let kids: String = (0..lines.len())
        .map(|i| format!("{} 0 R ", 4 + i * 2))
        .collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", lines.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".into(),
    ];
    for (i, line) in lines.iter().enumerate() {
        let stream = format!("BT /F1 12 Tf 20 200 Td ({line}) Tj ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + i * 2
        ));
        objects.push(format!(
            "<< /Length {} >>\nstream\n{stream}\nendstream",
            stream.len()
        ));
    }
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (i, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.push_str(&format!("{} 0 obj\n{object}\nendobj\n", i + 1));
    }
    let (table, size) = (out.len(), objects.len() + 1);
    out.push_str(&format!("xref\n0 {size}\n0000000000 65535 f \n"));
    for place in places {
        out.push_str(&format!("{place:010} 00000 n \n"));
    }
    out.push_str(&format!(
        "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"
    ));
    out.into_bytes()
}

#[tokio::test]
async fn the_first_five_pages_of_a_paper_are_summed_up_piece_by_piece() {
    let pages = [
        "Page zero",
        "Recurrence is dispensed with",
        "Page two",
        "Page three",
        "Page four",
        "Page five",
    ];
    let place = "arxiv.org/pdf/1706.03762";
    let stage = Stage::of("summarize-paper").page(place, "application/pdf", pdf(&pages));
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    assert_eq!(played.network.asked(), [place]);
    let prompts = played.asked.prompts();
    assert_eq!(prompts.len(), 1);
    for page in &pages[..5] {
        assert!(prompts[0].contains(page), "{}", prompts[0]);
    }
    assert!(!prompts[0].contains("Page five"), "{}", prompts[0]);
    assert_eq!(
        played.pieces("2"),
        "Attention alone relates the parts of a sequence; training takes less time."
    );
}

#[tokio::test]
async fn a_planned_encounter_goes_to_quality_assurance_and_both_into_the_briefing() {
    let Some(played) = Stage::of("game-encounter-planner-agent").play().await else {
        return;
    };
    let played = played.completed();
    let [plan, check, briefing] = &played.asked.chats[..] else {
        panic!("{} turns", played.asked.chats.len())
    };
    let asked = said(plan, Role::User);
    // The roster goes along as JSON that is indented by two.
    assert!(
        asked.contains("\n    \"name\": \"Icefang Skirmisher\""),
        "{asked}"
    );
    let Some(ResponseFormat::JsonSchema { schema, .. }) = &plan.response_format else {
        panic!("{:?}", plan.response_format)
    };
    let required = serde_json::to_string(schema.get("required").unwrap()).unwrap();
    assert_eq!(required, r#"["macro_strategy","waves","balance_notes"]"#);
    let asked = said(check, Role::User);
    assert!(
        asked.contains("Strategy: Wear the party down on open ice"),
        "{asked}"
    );
    assert_eq!(check.max_tokens, Some(600));
    let asked = said(briefing, Role::User);
    for part in ["\"theme\": \"Glacier press\"", "Eight flankers at once"] {
        assert!(asked.contains(part), "{asked}");
    }
    let Value::List(waves) = &played.output("encounter_waves")[0] else {
        panic!("no list")
    };
    assert_eq!(waves.len(), 3);
    let text = played.output("designer_briefing");
    assert!(
        text[0]
            .as_str()
            .unwrap()
            .contains("### Wave 3: The matriarch")
    );
}
