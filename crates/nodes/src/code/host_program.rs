//! `nodetool.code.Execute…` and `nodetool.code.Run…Command`: programs of the host.
//!
//! Graphs that hold them load and show; running them is refused, because a program of the host can do what the server
//! can do.

use nodetool_sdk::{
    Behaviour, NodeDef, NodeError, NodeMetadata, OutputSlot, Property, Registry, TypeMetadata,
    Value,
};

const REFUSAL: &str = "Running host programs is disabled on this server";

const DEBIANS: &[&str] = &[
    "bash:5.2",
    "debian:12",
    "ubuntu:22.04",
    "ubuntu:24.04",
    "jupyter/scipy-notebook:latest",
];
const SHELLS: &[&str] = &["bash:5.2", "alpine:3", "ubuntu:22.04", "ubuntu:24.04"];
const NODES: &[&str] = &["node:22-alpine"];
const PYTHONS: &[&str] = &["python:3.11-slim", "jupyter/scipy-notebook:latest"];
const RUBIES: &[&str] = &["ruby:3.3-alpine"];
const LUAS: &[&str] = &["nickblah/lua:5.2.4-luarocks-ubuntu"];
const LUA_PROGRAMS: &[&str] = &["lua", "luajit"];

/// A choice among words, the first part of its type's name after the namespace, and the word at the start.
struct Choice {
    property: &'static str,
    type_name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
}

const fn image(
    type_name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
) -> Option<Choice> {
    Some(Choice {
        property: "image",
        type_name,
        words,
        default,
    })
}

const fn lua(type_name: &'static str) -> Option<Choice> {
    Some(Choice {
        property: "executable",
        type_name,
        words: LUA_PROGRAMS,
        default: "lua",
    })
}

/// How a node type takes its program.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// Reads `stdin` as a stream; the mode it runs in at the start, and whether lines leave one by one.
    Execute { mode: &'static str, lines: bool },
    /// Runs one command line to its end.
    Run,
}

const DOCKER: Shape = Shape::Execute {
    mode: "docker",
    lines: true,
};

struct Program {
    class: &'static str,
    /// What is run, for the description.
    language: &'static str,
    source: &'static str,
    choice: Option<Choice>,
    timeout: bool,
    shape: Shape,
}

const fn program(
    class: &'static str,
    language: &'static str,
    source: &'static str,
    choice: Option<Choice>,
    shape: Shape,
) -> Program {
    Program {
        class,
        language,
        source,
        choice,
        timeout: false,
        shape,
    }
}

const fn timed(program: Program) -> Program {
    Program {
        timeout: true,
        ..program
    }
}

const fn run(class: &'static str, language: &'static str, choice: Option<Choice>) -> Program {
    program(class, language, "command", choice, Shape::Run)
}

static PROGRAMS: [Program; 18] = [
    program(
        "ExecuteBash",
        "Bash",
        "code",
        image("ExecuteBash.BashImage", DEBIANS, "ubuntu:22.04"),
        DOCKER,
    ),
    program(
        "ExecuteCommand",
        "Shell",
        "command",
        image("ExecuteCommand.CommandImage", SHELLS, "bash:5.2"),
        DOCKER,
    ),
    program(
        "ExecuteJavaScript",
        "JavaScript",
        "code",
        image("ExecuteJavaScript.JavaScriptImage", NODES, "node:22-alpine"),
        Shape::Execute {
            mode: "docker",
            lines: false,
        },
    ),
    timed(program(
        "ExecuteLua",
        "Lua",
        "code",
        lua("ExecuteLua.LuaExecutable"),
        Shape::Execute {
            mode: "subprocess",
            lines: true,
        },
    )),
    program(
        "ExecutePython",
        "Python",
        "code",
        image("ExecutePython.PythonImage", PYTHONS, "python:3.11-slim"),
        DOCKER,
    ),
    program(
        "ExecuteRuby",
        "Ruby",
        "code",
        image("ExecuteRuby.RubyImage", RUBIES, "ruby:3.3-alpine"),
        DOCKER,
    ),
    run("RunBashCommand", "Bash", None),
    run(
        "RunBashCommandDocker",
        "Bash",
        image("RunBashCommand.BashImage", DEBIANS, "ubuntu:22.04"),
    ),
    run("RunJavaScriptCommand", "JavaScript", None),
    run(
        "RunJavaScriptCommandDocker",
        "JavaScript",
        image(
            "RunJavaScriptCommand.JavaScriptImage",
            NODES,
            "node:22-alpine",
        ),
    ),
    timed(run(
        "RunLuaCommand",
        "Lua",
        lua("RunLuaCommand.LuaExecutable"),
    )),
    timed(run(
        "RunLuaCommandDocker",
        "Lua",
        image("RunLuaCommandDocker.LuaImage", LUAS, LUAS[0]),
    )),
    run("RunPythonCommand", "Python", None),
    run(
        "RunPythonCommandDocker",
        "Python",
        image("RunPythonCommand.PythonImage", PYTHONS, "python:3.11-slim"),
    ),
    run("RunRubyCommand", "Ruby", None),
    run(
        "RunRubyCommandDocker",
        "Ruby",
        image("RunRubyCommand.RubyImage", RUBIES, "ruby:3.3-alpine"),
    ),
    run("RunShellCommand", "Shell", None),
    run(
        "RunShellCommandDocker",
        "Shell",
        image("RunShellCommand.CommandImage", SHELLS, "bash:5.2"),
    ),
];

pub(super) fn register(r: &mut Registry) {
    for program in &PROGRAMS {
        r.add_def(program.definition());
    }
}

impl Program {
    fn definition(&self) -> NodeDef {
        let behaviour = match self.shape {
            Shape::Execute { .. } => {
                Behaviour::Pipe(Box::new(|_, _, _, _| Box::pin(async { refused() })))
            }
            Shape::Run => Behaviour::Process(Box::new(|_, _| Box::pin(async { refused() }))),
        };
        NodeDef::new(self.metadata(), behaviour)
    }

    fn metadata(&self) -> NodeMetadata {
        let mut m = NodeMetadata::new(&format!("nodetool.code.{}", self.class));
        let (language, words) = (self.language, self.language.to_lowercase());
        m.description = match self.shape {
            Shape::Execute { .. } => format!(
                "{language} code as a program of the host, fed by a stream.\n{words}, code, execute, process, stdin, docker"
            ),
            Shape::Run => format!(
                "One {language} command as a program of the host.\n{words}, command, run, process, one-shot"
            ),
        };
        m.description += "\n\nOff on this server: the node loads, and fails when it runs.";
        m.properties = self.properties();
        m.basic_fields = m.properties.iter().map(|p| p.name.clone()).collect();
        m.outputs = ["stdout", "stderr"]
            .map(|name| OutputSlot::new(name, TypeMetadata::new("str")))
            .to_vec();
        m.is_dynamic = true;
        m.supports_dynamic_outputs = true;
        m.is_streaming_output = matches!(self.shape, Shape::Execute { lines: true, .. });
        m
    }

    fn properties(&self) -> Vec<Property> {
        let text = |name: &str, meaning: &str| {
            described(
                Property::new(name, TypeMetadata::new("str"), "".into()),
                meaning,
            )
        };
        let timeout = || {
            let property = Property::new("timeout_seconds", TypeMetadata::new("int"), 10.into());
            described(property, "Seconds it may take.")
        };
        let mut properties = vec![text(self.source, "What to run.")];
        if let Some(choice) = &self.choice {
            properties.push(choice.property());
        }
        if let Shape::Execute { mode, .. } = self.shape {
            let modes = Choice {
                property: "execution_mode",
                type_name: "ExecutionMode",
                words: &["docker", "subprocess"],
                default: mode,
            };
            properties.push(modes.property());
        }
        if self.timeout {
            properties.push(timeout());
        }
        if matches!(self.shape, Shape::Execute { .. }) {
            properties.push(text("stdin", "What it reads."));
        }
        properties
    }
}

impl Choice {
    fn property(&self) -> Property {
        let words: Vec<Value> = self.words.iter().map(|w| Value::from(*w)).collect();
        let type_name = format!("nodetool.nodes.nodetool.code.{}", self.type_name);
        let ty = TypeMetadata::enumeration(words, Some(&type_name));
        let meaning = match self.property {
            "image" => "Container image it runs in.",
            "executable" => "Interpreter.",
            _ => "In a container or as a process of the host.",
        };
        described(
            Property::new(self.property, ty, self.default.into()),
            meaning,
        )
    }
}

fn described(mut property: Property, meaning: &str) -> Property {
    property.description = Some(meaning.into());
    property
}

fn refused<T>() -> Result<T, NodeError> {
    Err(NodeError::new(REFUSAL))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case_of;

    use super::*;

    #[tokio::test]
    async fn every_one_of_them_is_refused() {
        let mut r = Registry::new();
        register(&mut r);
        for def in r.iter() {
            let error = case_of(def.clone()).run().await.unwrap_err();
            assert_eq!(error.to_string(), REFUSAL);
        }
    }
}
