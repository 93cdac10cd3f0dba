//! `search.google.GoogleLens`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::super::found::{Pick, address, list, picture, record};
use super::super::serp_api::{Question, count, picture_address};

const FIELDS: &[Pick] = &[
    ("position", "position"),
    ("title", "title"),
    ("link", "link"),
    ("source", "source"),
    ("price", "price.value"),
    ("thumbnail", "thumbnail"),
    ("image", "image"),
];

/// Finds out with Google Lens what a picture shows, by pictures that are like it.
/// google, lens, image, picture, identify, reverse, search
#[derive(Node)]
#[node(
    namespace = "search.google",
    tool,
    uncached,
    basic("image_url", "num_results")
)]
pub(super) struct GoogleLens {
    /// Address of the picture.
    image_url: String,
    /// Most results.
    #[prop(default = 10)]
    num_results: i64,
}

/// Pages with such pictures, and the pictures.
#[derive(Outputs)]
pub(super) struct Alike {
    #[slot(ty = "list[dict]")]
    results: Vec<Value>,
    images: Vec<ImageRef>,
}

impl Process for GoogleLens {
    type Output = Alike;

    async fn process(self, cx: &NodeCx) -> Result<Alike, NodeError> {
        let url = picture_address("image_url", &self.image_url)?;
        let most = count(self.num_results)?;
        let answer = Question::to("google_lens").with("url", url).ask(cx).await?;
        let items = list(&answer, "visual_matches").iter().take(most);
        let pictures = items
            .clone()
            .filter_map(|item| address(item, &["image", "thumbnail"]));
        Ok(Alike {
            images: pictures.map(|a| ImageRef(picture(a))).collect(),
            results: items.map(|item| record(item, FIELDS).into()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn matches_come_with_their_pictures() {
        let body = r#"{"visual_matches":[{"position":1,"title":"A","price":{"value":"$5"},"thumbnail":"https://t/1"},{"title":"B"}]}"#;
        let engine = Engine::saying(200, body);
        let run = case::<GoogleLens>().set("image_url", "https://e.org/a.jpg");
        let given = run.within(engine.cx()).run().await.unwrap();
        assert_eq!(given[0]["results"].as_list().unwrap().len(), 2);
        assert_eq!(given[0]["images"].as_list().unwrap().len(), 1);
        assert_eq!(engine.field("url").as_deref(), Some("https://e.org/a.jpg"));
    }
}
