//! Makes a template ready, after looking at all of it: nothing in it calls itself, everything in it is counted while
//! it runs, and nothing in it escapes from its escaping.

use super::{Failure, Target, escape, helpers, measure};
use handlebars::{
    Handlebars, Template,
    template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Levels that may be open at once while a template runs, partials and `else if` counted.
const DEPTH_MAX: usize = 32;
/// The variables that hold lists, and so loop where they are used as a block.
const LISTS: [&str; 6] = [
    "genericUrls",
    "links",
    "items",
    "merged",
    "dependencies",
    "evidence",
];
/// The variables that hold mappings.
const MAPPINGS: [&str; 3] = ["incident", "labels", "counts"];
/// The helpers that a block may be.
const BLOCKS: [&str; 6] = ["each", "if", "unless", "with", "lookup", "raw"];
/// The name under which the whole template is known to its engine.
pub(super) const WHOLE: &str = "the template";

/// A template that can be run.
pub(super) struct Guarded {
    pub(super) engine: Handlebars<'static>,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Guarded")
    }
}

/// Makes a template ready, or says why it cannot be used.
pub(super) fn compile(source: &str, target: Target) -> Result<Guarded, Failure> {
    measure::measure(source)?;
    // The parser has places that end the thread on a strange enough text; such a text is only no template.
    catch_unwind(AssertUnwindSafe(|| parse(source, target))).unwrap_or(Err(Failure::Broken))
}

fn parse(source: &str, target: Target) -> Result<Guarded, Failure> {
    let mut template = Template::compile(source).map_err(|error| {
        let (line, _) = error.pos().unwrap_or((1, 1));
        Failure::Syntax {
            line,
            what: plain(&error.reason().to_string()),
        }
    })?;
    let mut partials = Partials::default();
    partials.gather(&template)?;
    partials.depth(&template, &mut Vec::new())?;
    rewrite(&mut template, target)?;
    let mut engine = Handlebars::new();
    engine.register_escape_fn(move |value| escape::escape(target, value));
    engine.register_helper("eq", Box::new(helpers::Eq));
    engine.register_helper("log", Box::new(helpers::Log));
    engine.register_helper(helpers::STEP, Box::new(helpers::Step));
    engine.register_template(WHOLE, template);
    Ok(Guarded { engine })
}

/// What the engine says, on one line.
pub(super) fn plain(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    text.join(" ").chars().take(200).collect()
}

/// The partials that a template defines: under each name every body that bears it.
#[derive(Default)]
struct Partials<'a> {
    bodies: BTreeMap<&'a str, Vec<&'a Template>>,
    /// How deep those go that were looked at already.
    depths: BTreeMap<&'a str, usize>,
}

impl<'a> Partials<'a> {
    fn gather(&mut self, template: &'a Template) -> Result<(), Failure> {
        for element in &template.elements {
            match element {
                TemplateElement::HelperBlock(block) => {
                    for inside in [&block.template, &block.inverse].into_iter().flatten() {
                        self.gather(inside)?;
                    }
                }
                TemplateElement::DecoratorBlock(block) => {
                    let (name, body) = inline(block)?;
                    self.bodies.entry(name).or_default().push(body);
                    self.gather(body)?;
                }
                TemplateElement::DecoratorExpression(_) => {
                    return Err(Failure::Unsupported(
                        "decorators other than {{#*inline}} are not carried out; take them away",
                    ));
                }
                TemplateElement::PartialBlock(_) => {
                    return Err(Failure::Unsupported(
                        "{{#> …}} is not carried out; use {{> …}} and define the partial with {{#*inline}}",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How deep a template goes, with the partials that it includes. `under` are those that are open.
    fn depth(
        &mut self,
        template: &'a Template,
        under: &mut Vec<&'a str>,
    ) -> Result<usize, Failure> {
        let mut deepest = 0;
        for element in &template.elements {
            let inside = match element {
                TemplateElement::HelperBlock(block) => {
                    let mut inside = 0;
                    for part in [&block.template, &block.inverse].into_iter().flatten() {
                        inside = self.depth(part, under)?.max(inside);
                    }
                    inside
                }
                TemplateElement::PartialExpression(call) => {
                    self.partial_depth(partial_name(&call.name)?, under)?
                }
                _ => continue,
            };
            deepest = deepest.max(inside + 1);
            if deepest + under.len() > DEPTH_MAX {
                return Err(Failure::Nesting {
                    line: 1,
                    what: "blocks and partials",
                    most: DEPTH_MAX,
                });
            }
        }
        Ok(deepest)
    }

    fn partial_depth(&mut self, name: &'a str, under: &mut Vec<&'a str>) -> Result<usize, Failure> {
        if under.contains(&name) {
            return Err(Failure::Recursive(name.to_owned()));
        }
        if let Some(known) = self.depths.get(name) {
            return Ok(*known);
        }
        let bodies = self
            .bodies
            .get(name)
            .cloned()
            .ok_or_else(|| Failure::NoPartial(name.to_owned()))?;
        under.push(name);
        let mut deepest = 0;
        for body in bodies {
            deepest = self.depth(body, under)?.max(deepest);
        }
        under.pop();
        self.depths.insert(name, deepest);
        Ok(deepest)
    }
}

/// The name and the body of `{{#*inline "name"}}…{{/inline}}`.
fn inline(block: &DecoratorTemplate) -> Result<(&str, &Template), Failure> {
    match (block.name.as_name(), block.params.first(), &block.template) {
        (Some("inline"), Some(Parameter::Literal(Value::String(name))), Some(body)) => {
            Ok((name, body))
        }
        _ => Err(Failure::Unsupported(
            "a partial is defined with {{#*inline \"name\"}}…{{/inline}}, its name in quotes",
        )),
    }
}

fn partial_name(name: &Parameter) -> Result<&str, Failure> {
    match name {
        Parameter::Literal(Value::String(name)) => Ok(name),
        other => other.as_name().ok_or(Failure::Unsupported(
            "the name of a partial must be written down; it cannot be computed",
        )),
    }
}

/// Puts the counting of steps into every block, takes triple braces for double ones where JSON is wanted, and gives
/// blocks that are named after a variable the helper that they mean.
fn rewrite(template: &mut Template, target: Target) -> Result<(), Failure> {
    for element in &mut template.elements {
        match element {
            TemplateElement::HtmlExpression(expression) if target == Target::Json => {
                *element = TemplateElement::Expression(expression.clone());
            }
            TemplateElement::HelperBlock(block) => {
                name_block(block);
                for inside in [&mut block.template, &mut block.inverse]
                    .into_iter()
                    .flatten()
                {
                    rewrite(inside, target)?;
                }
            }
            TemplateElement::DecoratorBlock(block) => {
                if let Some(body) = &mut block.template {
                    rewrite(body, target)?;
                }
            }
            _ => {}
        }
    }
    let steps = template.elements.len() + 1;
    let mut counter = Template::compile(&format!("{{{{{} {steps}}}}}", helpers::STEP))
        .map_err(|_| Failure::Broken)?;
    template.elements.splice(0..0, counter.elements.drain(..));
    template.mapping.splice(0..0, counter.mapping.drain(..));
    Ok(())
}

/// `{{#links}}…{{/links}}` means a loop, `{{#incident}}…{{/incident}}` that mapping, and another name a condition.
fn name_block(block: &mut HelperTemplate) {
    let Some(name) = block.name.as_name().map(str::to_owned) else {
        return;
    };
    if !block.params.is_empty() || BLOCKS.contains(&name.as_str()) {
        return;
    }
    let last = name.rsplit(['.', '/']).next().unwrap_or(&name).to_owned();
    let helper = if LISTS.contains(&last.as_str()) {
        "each"
    } else if MAPPINGS.contains(&last.as_str()) {
        "with"
    } else {
        "if"
    };
    if let Ok(variable) = Parameter::parse(&name) {
        block.params.push(variable);
        block.name = Parameter::Name(helper.to_owned());
    }
}
