//! `lib.html.ExtractLinks`.

use nodetool_sdk::{
    Emitted, Emitter, Generate, Node, NodeCx, NodeError, OutputSlot, Outputs, TypeMetadata, Value,
};

use super::links::{Link, links_of};

/// Finds the links of a web page.
/// html, links, anchors, href, url, scrape
///
/// Links come one by one and, at the end, as a list. Without a base URL every link counts as internal.
#[derive(Node)]
#[node(namespace = "lib.html", kind = Generate)]
pub(super) struct ExtractLinks {
    /// The page's HTML.
    html: String,
    /// Links that begin with this are internal.
    base_url: String,
}

/// A link, or all of them.
pub(super) enum Found {
    One(Link),
    All(Vec<Value>),
}

impl Outputs for Found {
    fn slots() -> Vec<OutputSlot> {
        let mut slots: Vec<_> = ["href", "text", "type"]
            .map(|name| OutputSlot::new(name, TypeMetadata::new("str")))
            .into();
        slots.push(OutputSlot::new("links", TypeMetadata::new("list")));
        slots
    }

    fn into_emitted(self) -> Emitted {
        Emitted::Slots(match self {
            Found::One(link) => [link.href.into(), link.text.into(), link.kind.into()]
                .into_iter()
                .zip(0..)
                .map(|(value, slot)| (slot, value))
                .collect(),
            Found::All(links) => std::iter::once((3, links.into())).collect(),
        })
    }
}

impl Generate for ExtractLinks {
    type Output = Found;

    async fn generate(self, out: &Emitter<'_, Found>, _: &NodeCx) -> Result<(), NodeError> {
        let mut all = Vec::new();
        for link in links_of(self.html, self.base_url).await? {
            all.push(Value::map([
                ("href", Value::from(link.href.clone())),
                ("text", link.text.clone().into()),
                ("type", link.kind.into()),
            ]));
            out.emit(Found::One(link)).await?;
        }
        out.emit(Found::All(all)).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn links_come_one_by_one_and_then_together() {
        let html = "<a href='/w'> the\n <b>guide</b></a><a>no</a><a href=https://x.org/y>src</a>\
                    <script>'<a href=z>'</script><!-- <a href=z> --><a href=https://a.org/q></a>";
        let run = case::<ExtractLinks>()
            .set("html", html)
            .set("base_url", "https://a.org");
        let items = run.run().await.unwrap();
        let seen: Vec<_> = items[..3]
            .iter()
            .map(|m| ["href", "text", "type"].map(|k| m[k].as_str().unwrap()))
            .collect();
        assert_eq!(
            seen,
            [
                ["/w", "the guide", "internal"],
                ["https://x.org/y", "src", "external"],
                ["https://a.org/q", "", "internal"],
            ]
        );
        assert_eq!(items[3]["links"].as_list().unwrap().len(), 3);
        assert_eq!(items.len(), 4);
        let nothing = case::<ExtractLinks>().run().await.unwrap();
        assert_eq!(nothing[0]["links"], Value::list([]));
    }
}
