//! JSON: requests to models with conversations and tools, records of a shop, events and measurements, as documents of their
//! own.

use serde_json::{Value, json};

use super::DOCUMENT_BYTES;
use super::draw::Draw;
use super::english::Sentences;
use super::multilingual::Languages;

const NAMES: [&str; 24] = [
    "Anna",
    "Mehmet",
    "Chloé",
    "Oluwaseun",
    "Priya",
    "Jonas",
    "María",
    "Wei",
    "Fatima",
    "Liam",
    "Sofia",
    "Noah",
    "Yuki",
    "Elena",
    "Ivan",
    "Grace",
    "Tomás",
    "Aisha",
    "Peter",
    "Ingrid",
    "Kwame",
    "Leila",
    "Marco",
    "Zofia",
];
const GOODS: [&str; 20] = [
    "desk lamp",
    "bicycle bell",
    "rain jacket",
    "cast-iron pan",
    "notebook A5",
    "coffee grinder",
    "wool scarf",
    "tent peg",
    "watering can",
    "headphones",
    "chess set",
    "cutting board",
    "paint brush",
    "garden hose",
    "tea towel",
    "alarm clock",
    "hiking boots",
    "board game",
    "oak shelf",
    "cork mat",
];
const STATES: [&str; 6] = ["created", "paid", "packed", "shipped", "delivered", "returned"];
const CITIES: [&str; 12] =
    ["Lisbon", "Kraków", "Nagoya", "Toronto", "Accra", "Leipzig", "Cusco", "Bergen", "Pune", "Izmir", "Lyon", "Austin"];
const COLOURS: [&str; 8] = ["red", "blue", "green", "black", "white", "grey", "yellow", "natural"];
const LEVELS: [&str; 4] = ["info", "info", "debug", "warn"];
const SERVICES: [&str; 8] = ["checkout", "search", "catalogue", "stock", "mailer", "billing", "gateway", "reports"];
const MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "mistral-large", "llama-3-70b"];

pub fn document(draw: &mut Draw, sentences: &Sentences, languages: &Languages) -> String {
    let value = match draw.below(8) {
        0..=3 => request(draw, sentences, languages),
        4 => list(draw, order),
        5 => list(draw, event),
        6 => list(draw, product),
        _ => list(draw, measurement),
    };
    // Half of all JSON is written for people.
    let text = if draw.once_in(2) { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
    text.unwrap_or_default()
}

/// A chat request, some with tools and what they gave back.
fn request(draw: &mut Draw, sentences: &Sentences, languages: &Languages) -> Value {
    let mut messages = vec![json!({ "role": "system", "content": "You are a helpful assistant. Answer briefly." })];
    let mut bytes = 0;
    while bytes < DOCUMENT_BYTES {
        let foreign = draw.once_in(6);
        let asked = if foreign { languages.paragraph(draw) } else { sentences.request(draw) };
        let answered: Vec<String> = (0..3 + draw.below(6)).map(|_| sentences.sentence(draw)).collect();
        let answered = answered.join(if draw.once_in(3) { "\n" } else { " " });
        bytes += asked.len() + answered.len();
        messages.push(json!({ "role": "user", "content": asked }));
        if draw.once_in(4) {
            let id = format!("call_{}", draw.number());
            let arguments = json!({ "city": draw.pick(&CITIES), "days": 1 + draw.below(7) }).to_string();
            let call =
                json!({ "id": id, "type": "function", "function": { "name": "forecast", "arguments": arguments } });
            messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
            messages
                .push(json!({ "role": "tool", "tool_call_id": id, "content": list(draw, measurement).to_string() }));
        }
        messages.push(json!({ "role": "assistant", "content": answered }));
    }
    let mut request = json!({ "model": draw.pick(&MODELS), "messages": messages, "temperature": 0.2 });
    if draw.once_in(2) {
        request["tools"] = tools();
    }
    request
}

fn tools() -> Value {
    json!([{ "type": "function", "function": {
        "name": "forecast",
        "description": "The weather forecast for a city for the coming days.",
        "parameters": { "type": "object", "additionalProperties": false, "required": ["city"], "properties": {
            "city": { "type": "string", "description": "Name of the city, for example Lyon" },
            "days": { "type": "integer", "minimum": 1, "maximum": 7 } } } } }])
}

/// As many of one kind as make a document.
fn list(draw: &mut Draw, one: fn(&mut Draw) -> Value) -> Value {
    let (mut values, mut bytes) = (Vec::new(), 0);
    while bytes < DOCUMENT_BYTES / 2 {
        let value = one(draw);
        bytes += value.to_string().len();
        values.push(value);
    }
    json!({ "data": values, "page": 1 + draw.below(40), "has_more": draw.once_in(2) })
}

fn order(draw: &mut Draw) -> Value {
    let lines: Vec<Value> = (0..1 + draw.below(4))
        .map(|_| {
            json!({ "sku": format!("{}-{}", draw.pick(&COLOURS).to_uppercase(), draw.below(1000)),
                "title": draw.pick(&GOODS), "quantity": 1 + draw.below(5), "price": price(draw) })
        })
        .collect();
    json!({ "id": draw.below(100_000), "state": draw.pick(&STATES), "created_at": time(draw),
        "customer": { "name": draw.pick(&NAMES), "city": draw.pick(&CITIES), "newsletter": draw.once_in(2) },
        "lines": lines, "note": null })
}

fn event(draw: &mut Draw) -> Value {
    json!({ "time": time(draw), "level": draw.pick(&LEVELS), "service": draw.pick(&SERVICES),
        "trace": uuid(draw), "message": format!("{} items read in {} ms", draw.below(500), draw.below(90)),
        "status": 200 + draw.below(5), "cached": draw.once_in(2) })
}

fn product(draw: &mut Draw) -> Value {
    let title = draw.pick(&GOODS);
    let colour = draw.pick(&COLOURS);
    json!({ "id": uuid(draw), "title": title, "colour": colour, "price": price(draw), "stock": draw.below(300),
        "image": format!("https://shop.example/images/{}-{colour}.jpg", title.replace(' ', "-")),
        "dimensions": { "width": draw.below(120), "height": draw.below(90), "depth": draw.below(60) },
        "rating": draw.below(50) as f64 / 10.0, "tags": [draw.pick(&COLOURS), draw.pick(&STATES)] })
}

fn measurement(draw: &mut Draw) -> Value {
    json!({ "station": draw.pick(&CITIES), "at": time(draw), "temperature": draw.below(400) as f64 / 10.0,
        "humidity": draw.below(100), "wind": { "speed": draw.below(250) as f64 / 10.0, "degrees": draw.below(360) },
        "samples": (0..6).map(|_| draw.below(1024)).collect::<Vec<_>>() })
}

fn price(draw: &mut Draw) -> Value {
    json!({ "amount": format!("{}.{:02}", 1 + draw.below(400), draw.below(100)), "currency": "EUR" })
}

fn time(draw: &mut Draw) -> String {
    let (month, day) = (1 + draw.below(12), 1 + draw.below(28));
    format!("2026-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", draw.below(24), draw.below(60), draw.below(60))
}

fn uuid(draw: &mut Draw) -> String {
    let (a, b, c) = (draw.number(), draw.number(), draw.number());
    format!("{a:08x}-{:04x}-4{:03x}-a{:03x}-{c:08x}{:04x}", b & 0xFFFF, b >> 16 & 0xFFF, b >> 8 & 0xFFF, a & 0xFFFF)
}
