//! `search.google.GoogleImages`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::super::found::{address, list, picture};
use super::super::serp_api::{Question, count, picture_address, required};

/// Keys a picture's address may be under, best first.
const ADDRESSES: &[&str] = &["original", "image", "thumbnail"];

/// Finds pictures with Google, by words or by a picture that is like them.
/// google, images, pictures, photos, search, reverse
#[derive(Node)]
#[node(
    namespace = "search.google",
    tool,
    uncached,
    basic("keyword", "image_url", "num_results")
)]
pub(super) struct GoogleImages {
    /// What the pictures are to show.
    keyword: String,
    /// Address of a picture they are to be like; used when there are no words.
    image_url: String,
    /// Most pictures.
    #[prop(default = 20)]
    num_results: i64,
}

impl Process for GoogleImages {
    type Output = Vec<ImageRef>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<ImageRef>, NodeError> {
        let most = count(self.num_results)?;
        let alike = self.keyword.trim().is_empty() && !self.image_url.trim().is_empty();
        let (question, lists): (_, &[&str]) = if alike {
            let url = picture_address("image_url", &self.image_url)?;
            let question = Question::to("google_reverse_image").with("image_url", url);
            (question, &["inline_images", "image_results"])
        } else {
            let what = "what the pictures are to show, or an `image_url`";
            let keyword = required("keyword", &self.keyword, what)?;
            (
                Question::to("google_images").with("q", keyword),
                &["images_results"],
            )
        };
        let answer = question.ask(cx).await?;
        let items = lists.iter().flat_map(|key| list(&answer, key));
        let pictures = items.filter_map(|item| address(item, ADDRESSES));
        Ok(pictures.take(most).map(|a| ImageRef(picture(a))).collect())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::super::testing::Engine;
    use super::*;

    #[tokio::test]
    async fn pictures_are_references_to_where_they_are() {
        let body = r#"{"images_results":[{"original":"https://e.org/a.jpg","thumbnail":"https://t"},{"original":"data:x"},{"thumbnail":"https://e.org/b.jpg"}]}"#;
        let run = case::<GoogleImages>().set("keyword", "berlin");
        let given = run
            .within(Engine::saying(200, body).cx())
            .value()
            .await
            .unwrap();
        let given = given.as_list().unwrap();
        assert_eq!(given.len(), 2);
        assert_eq!(given[0].type_tag(), Some("image"));
        assert_eq!(given[1].get("uri"), Some(&"https://e.org/b.jpg".into()));
    }

    #[tokio::test]
    async fn a_picture_is_looked_for_when_there_are_no_words() {
        let engine = Engine::saying(200, r#"{"inline_images":[{"thumbnail":"https://t"}]}"#);
        let run = case::<GoogleImages>().set("image_url", "https://e.org/a.jpg");
        let given = run.within(engine.cx()).value().await.unwrap();
        assert_eq!(given.as_list().unwrap().len(), 1);
        assert_eq!(
            engine.field("engine").as_deref(),
            Some("google_reverse_image")
        );
        let nothing = case::<GoogleImages>().within(engine.cx()).run().await;
        let refused = nothing.unwrap_err().to_string();
        assert!(refused.contains("`keyword`"), "{refused}");
    }
}
