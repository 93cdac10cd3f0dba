//! Which families of routes a server has (HTTP spec 1.2), and what it refuses to start with (1.3).

use anyhow::bail;

use crate::config::{AuthProvider, Config, Environment, Mode};
use crate::sensitive::Sensitive;

macro_rules! families {
    ($($field:ident $enable:literal $disable:literal $what:literal [$desktop:literal $public:literal $private:literal];)*) => {
        /// The families of routes that are mounted; one that is not does not exist.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Families {
            $(#[doc = $what] pub(crate) $field: bool,)*
        }

        /// Families that are wanted or not, whatever the mode says.
        #[derive(Clone, Debug, Default, clap::Args)]
        #[command(next_help_heading = "Families of routes")]
        pub(crate) struct Choices {
            $(
                #[arg(long = $enable, overrides_with = $disable, help = concat!("Mount ", $what), help_heading = "Families of routes")]
                $field: bool,
            )*
            #[command(flatten)]
            without: Without,
        }

        /// Families that are not wanted.
        #[derive(Clone, Debug, Default, clap::Args)]
        struct Without {
            $(
                #[arg(id = $disable, long = $disable, overrides_with = stringify!($field), help = concat!("Leave out ", $what), help_heading = "Families of routes")]
                $field: bool,
            )*
        }

        impl Families {
            /// The families of a mode.
            pub(crate) fn of(mode: Mode) -> Self {
                Families {
                    $($field: match mode {
                        Mode::Desktop => $desktop,
                        Mode::Public => $public,
                        Mode::Private => $private,
                    },)*
                }
            }

            /// The families of a mode, with those that are chosen one by one.
            pub(crate) fn chosen(mode: Mode, choices: &Choices) -> Self {
                let by_mode = Families::of(mode);
                Families {
                    $($field: choices.$field || (by_mode.$field && !choices.without.$field),)*
                }
            }
        }
    };
}

families! {
    default_api "enable-default-api" "disable-default-api" "the routes under /api" [true true true];
    openai "enable-openai" "disable-openai" "the OpenAI-compatible routes under /v1" [true true true];
    deploy_admin "enable-deploy-admin" "disable-deploy-admin" "the routes under /admin" [true false true];
    deploy_collections "enable-deploy-collections" "disable-deploy-collections" "the routes under /collections" [true false true];
    deploy_storage "enable-deploy-storage" "disable-deploy-storage" "the routes under /admin/storage and /storage" [true true true];
    deploy_workflows "enable-deploy-workflows" "disable-deploy-workflows" "the routes under /workflows" [true true true];
    orchestrator "enable-orchestrator" "disable-orchestrator" "the Orchestrator API under /api/workflow" [true true true];
    main_ws "enable-main-ws" "disable-main-ws" "the sockets /ws and /predict" [true true true];
    updates_ws "enable-updates-ws" "disable-updates-ws" "the socket /updates" [true true true];
    terminal_ws "enable-terminal-ws" "disable-terminal-ws" "the socket /terminal" [true false false];
    mcp "mcp" "disable-mcp" "the Model Context Protocol at /mcp" [false false false];
    hf_download_ws "enable-hf-download-ws" "disable-hf-download-ws" "the socket /hf/download" [true false false];
}

/// Refuses settings that together would let in whom the mode is to keep out, with one sentence that says what to set.
pub(crate) fn guard(config: &Config, families: &Families) -> anyhow::Result<()> {
    let provider = config.auth_provider;
    match config.mode {
        Mode::Public if provider != AuthProvider::Supabase => bail!(
            "Public server mode requires AUTH_PROVIDER=supabase: set it, with SUPABASE_URL and SUPABASE_KEY"
        ),
        Mode::Private if !provider.enforced() && !config.tokenless => bail!(
            "Private server mode requires AUTH_PROVIDER to be static, multi_user or supabase: set it, for example AUTH_PROVIDER=static with SERVER_AUTH_TOKEN"
        ),
        _ => {}
    }
    if config.environment == Environment::Production && !config.keys.names_a_key() {
        bail!(
            "ENV=production requires SECRETS_MASTER_KEY, or AWS_SECRETS_MASTER_KEY_NAME: set it, and keep it somewhere else, too"
        );
    }
    for (name, token) in config.keys() {
        let text = token.map(Sensitive::expose).unwrap_or_default();
        if name.ends_with("TOKEN") && text.contains(char::is_whitespace) {
            bail!("{name} has blanks in it, which no header can carry: take one without");
        }
    }
    if config.mode != Mode::Desktop && families.terminal_ws {
        bail!("the terminal is for one's own machine: --enable-terminal-ws needs --mode desktop");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    fn chosen(mode: Mode, arguments: &[&str]) -> Families {
        let command = Choices::augment_args(clap::Command::new("serve"));
        let arguments = std::iter::once("serve").chain(arguments.iter().copied());
        let matches = command.get_matches_from(arguments);
        Families::chosen(mode, &Choices::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn what_is_chosen_stands_over_the_mode_and_the_last_choice_counts() {
        let public = chosen(Mode::Public, &[]);
        assert_eq!(public, Families::of(Mode::Public));
        assert!(!public.deploy_admin && public.default_api);
        assert!(chosen(Mode::Public, &["--enable-deploy-admin"]).deploy_admin);
        assert!(!chosen(Mode::Desktop, &["--disable-default-api"]).default_api);
        let both = ["--disable-openai", "--enable-openai"];
        assert!(chosen(Mode::Private, &both).openai);
        assert!(!chosen(Mode::Private, &[both[1], both[0]]).openai);
    }

    #[test]
    fn tenants_and_workers_get_no_terminal() {
        for mode in [Mode::Public, Mode::Private] {
            let families = Families::of(mode);
            assert!(!families.terminal_ws && !families.hf_download_ws);
        }
        assert!(Families::of(Mode::Desktop).terminal_ws);
    }
}
