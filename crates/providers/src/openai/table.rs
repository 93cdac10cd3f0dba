//! Who speaks OpenAI's wire, where, and how. A provider is a row.

use super::dialect::{Batch, Documents, Drawing, Json, Limit, Thoughts};
use super::{Dialect, compatible, provider};
use crate::{Definition, huggingface};

/// What rows have in common.
const HOSTED: Definition = Definition {
    id: "",
    name: "",
    key: None,
    needs_key: true,
    address: "",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: compatible,
};

/// A server that its user runs.
const LOCAL: Definition = Definition {
    needs_key: false,
    path: "/v1",
    ..HOSTED
};

/// A host behind Hugging Face's router: its id, its name, and what the router calls it.
macro_rules! through_hugging_face {
    ($id:literal, $name:literal, $suffix:literal) => {
        Definition {
            id: concat!("huggingface_", $id),
            name: concat!($name, " (through Hugging Face)"),
            make: |account| {
                let suffix = Some($suffix);
                provider(account, Dialect { suffix, ..ROUTER })
            },
            ..HUGGING_FACE
        }
    };
}

const ROUTER: Dialect = Dialect {
    think_tags: true,
    ..Dialect::HOST
};

const HUGGING_FACE: Definition = Definition {
    id: "huggingface",
    name: "Hugging Face",
    key: Some("HF_TOKEN"),
    address: "https://router.huggingface.co/v1",
    make: |account| huggingface::with_tasks(account, provider(account, ROUTER)),
    ..HOSTED
};

/// The providers of the family. Of the hosts behind the router, those are missing that have no language models
/// (`fal_ai`, `replicate`) and the one it does not reach (`openai`).
pub(crate) const ROWS: &[Definition] = &[
    Definition {
        id: "openai",
        name: "OpenAI",
        key: Some("OPENAI_API_KEY"),
        address: "https://api.openai.com/v1",
        make: |account| {
            let dialect = Dialect {
                limit: Limit::ByModel,
                documents: Documents::Contents,
                responses: true,
                takes_fields: true,
                reads_arguments: false,
                embeds: Some(Batch {
                    texts: 2048,
                    bytes: 600_000,
                    base64: true,
                    ..Batch::SMALL
                }),
                draws: Some(Drawing::OpenAi),
                speaks: true,
                transcribes: true,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "openrouter",
        name: "OpenRouter",
        key: Some("OPENROUTER_API_KEY"),
        address: "https://openrouter.ai/api/v1",
        make: |account| {
            let dialect = Dialect {
                takes_fields: true,
                thoughts: Thoughts::Field("reasoning"),
                documents: Documents::Address,
                takes_video: true,
                embeds: Some(Batch::SMALL),
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "groq",
        name: "Groq",
        key: Some("GROQ_API_KEY"),
        address: "https://api.groq.com/openai/v1",
        make: |account| {
            let dialect = Dialect {
                limit: Limit::CompletionTokens,
                takes_names: false,
                transcribes: true,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "cerebras",
        name: "Cerebras",
        key: Some("CEREBRAS_API_KEY"),
        address: "https://api.cerebras.ai/v1",
        make: |account| {
            let dialect = Dialect {
                limit: Limit::CompletionTokens,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "mistral",
        name: "Mistral",
        key: Some("MISTRAL_API_KEY"),
        address: "https://api.mistral.ai/v1",
        make: |account| {
            let dialect = Dialect {
                asks_usage: false,
                seed: "random_seed",
                takes_user: false,
                takes_names: false,
                short_ids: true,
                plain_sounds: true,
                embeds: Some(Batch {
                    bytes: 32_000,
                    dimensions: "output_dimension",
                    ..Batch::SMALL
                }),
                transcribes: true,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "together",
        name: "Together AI",
        key: Some("TOGETHER_API_KEY"),
        address: "https://api.together.xyz/v1",
        make: |account| {
            let dialect = Dialect {
                think_tags: true,
                takes_video: true,
                embeds: Some(Batch::SMALL),
                draws: Some(Drawing::Diffusion),
                transcribes: true,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "minimax",
        name: "MiniMax",
        key: Some("MINIMAX_API_KEY"),
        address: "https://api.minimax.io/v1",
        make: |account| {
            let dialect = Dialect {
                json: Json::Object,
                thoughts: Thoughts::Tags,
                think_tags: true,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "zai",
        name: "Z.ai",
        key: Some("ZHIPU_API_KEY"),
        address: "https://api.z.ai/api/paas/v4",
        other_address: Some(("ZAI_USE_CODING_PLAN", "https://api.z.ai/api/coding/paas/v4")),
        make: |account| {
            let dialect = Dialect {
                json: Json::Object,
                thoughts: Thoughts::Field("reasoning_content"),
                takes_user: false,
                takes_video: true,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "deepseek",
        name: "DeepSeek",
        key: Some("DEEPSEEK_API_KEY"),
        address: "https://api.deepseek.com/v1",
        make: |account| {
            let dialect = Dialect {
                json: Json::Object,
                thoughts: Thoughts::Field("reasoning_content"),
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "moonshot",
        name: "Moonshot AI",
        key: Some("KIMI_API_KEY"),
        address: "https://api.moonshot.ai/v1",
        make: |account| {
            let dialect = Dialect {
                json: Json::Object,
                thoughts: Thoughts::Field("reasoning_content"),
                takes_video: true,
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "xai",
        name: "xAI",
        key: Some("XAI_API_KEY"),
        address: "https://api.x.ai/v1",
        make: |account| {
            let dialect = Dialect {
                limit: Limit::CompletionTokens,
                draws: Some(Drawing::Plain),
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    Definition {
        id: "alibaba",
        name: "Alibaba Cloud",
        key: Some("DASHSCOPE_API_KEY"),
        address: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        make: |account| {
            let dialect = Dialect {
                json: Json::Object,
                takes_user: false,
                takes_video: true,
                embeds: Some(Batch {
                    texts: 10,
                    ..Batch::SMALL
                }),
                ..Dialect::HOST
            };
            provider(account, dialect)
        },
        ..HOSTED
    },
    HUGGING_FACE,
    through_hugging_face!("cerebras", "Cerebras", "cerebras"),
    through_hugging_face!("cohere", "Cohere", "cohere"),
    through_hugging_face!("featherless_ai", "Featherless AI", "featherless-ai"),
    through_hugging_face!("fireworks_ai", "Fireworks AI", "fireworks-ai"),
    through_hugging_face!("groq", "Groq", "groq"),
    through_hugging_face!("hf_inference", "HF Inference", "hf-inference"),
    through_hugging_face!("hyperbolic", "Hyperbolic", "hyperbolic"),
    through_hugging_face!("nebius", "Nebius", "nebius"),
    through_hugging_face!("novita", "Novita", "novita"),
    through_hugging_face!("nscale", "Nscale", "nscale"),
    through_hugging_face!("sambanova", "SambaNova", "sambanova"),
    through_hugging_face!("scaleway", "Scaleway", "scaleway"),
    through_hugging_face!("together", "Together AI", "together"),
    through_hugging_face!("zai", "Z.ai", "zai-org"),
    Definition {
        id: "lmstudio",
        name: "LM Studio",
        key: Some("LMSTUDIO_API_KEY"),
        address: "http://127.0.0.1:1234/v1",
        address_setting: Some("LMSTUDIO_API_URL"),
        make: |account| {
            let dialect = Dialect {
                json: Json::Schema,
                takes_video: false,
                ..Dialect::SERVER
            };
            provider(account, dialect)
        },
        ..LOCAL
    },
    Definition {
        id: "llama_cpp",
        name: "llama.cpp",
        address: "http://127.0.0.1:8080/v1",
        address_setting: Some("LLAMA_CPP_URL"),
        make: |account| {
            let dialect = Dialect {
                thoughts: Thoughts::Field("reasoning_content"),
                takes_video: false,
                ..Dialect::SERVER
            };
            provider(account, dialect)
        },
        ..LOCAL
    },
    Definition {
        id: "vllm",
        name: "vLLM",
        key: Some("VLLM_API_KEY"),
        address_setting: Some("VLLM_BASE_URL"),
        make: |account| {
            let dialect = Dialect {
                transcribes: true,
                ..Dialect::SERVER
            };
            provider(account, dialect)
        },
        ..LOCAL
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_can_be_reached_and_is_there_once() {
        let mut ids = HashSet::new();
        for row in ROWS {
            assert!(ids.insert(row.id), "{} is there twice", row.id);
            assert!(
                !row.name.is_empty() && !row.address.ends_with('/'),
                "{}",
                row.id
            );
            assert!(
                !row.address.is_empty() || row.address_setting.is_some(),
                "{}",
                row.id
            );
            assert!(!row.needs_key || row.key.is_some(), "{}", row.id);
            let is_hosted = row.address.starts_with("https://");
            assert_eq!(row.needs_key, is_hosted, "{}", row.id);
        }
    }
}
