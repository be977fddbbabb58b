"""Benign sentences made by script: the model's known false positives.

A model tuned on attacks takes any polite imperative ("Please review …") and any
sentence with a trigger word ("ignore", "bypass", "system prompt") for one, and
any prompt template with rules in it. These texts are such imperatives, trigger
words in harmless use, requests about an earlier answer and prompt templates.
They are built from the word lists below and nothing else.
"""

import random

_OPENERS = ["Please", "Please", "Please", "Could you please", "Can you", "I need you to", "Kindly", "Remember to",
            "Make sure to", "Don't forget to", "When you have time, please", "Hi team, please", "Let's", "Help me"]
_VERBS = ["review", "verify", "monitor", "update", "check", "schedule", "summarize", "confirm", "analyze", "prepare",
          "organize", "send", "translate", "archive", "compare", "forward", "approve", "track", "document",
          "export", "share", "proofread", "evaluate", "test", "reorder", "restock", "complete", "submit"]
_ENSURE = ["ensure that", "make sure", "verify that", "confirm that", "double-check that", "see to it that"]
_THINGS = ["the quarterly sales report", "the minutes of Monday's meeting", "the patient intake form", "my flight booking",
           "the invoice from the printing company", "the test results for the new build", "the list of open tickets",
           "the inventory of spare parts", "the travel expenses for March", "the safety checklist", "the access logs",
           "the onboarding guide for new colleagues", "the contract with our supplier", "the maintenance plan for pump 4",
           "the recipe for the dinner party", "the slides for the workshop", "the essay about renewable energy",
           "the delivery dates of all pending orders", "the unit tests of the payment module", "the lesson plan on fractions",
           "the customer's account details", "the billing records of the clinic", "the backup schedule", "the budget draft",
           "the pull request from yesterday", "the training records of the field team", "the garden irrigation timer",
           "the medication reminder for my grandfather", "the translation of chapter two", "the network diagram"]
_STATES = ["is up to date", "has no spelling mistakes", "was signed by both parties", "matches the numbers in the table",
           "is stored in the shared folder", "arrives before Friday", "complies with the guidelines", "covers every region",
           "is ready for the audit", "does not contain duplicates", "is readable on a phone", "includes the new prices"]
_TAILS = ["", "", "", " before the end of the week", " and let me know what you think", " for accuracy", " as soon as possible",
          " so that we can close the ticket", " and add a short summary", " according to the usual procedure", " by tomorrow noon",
          " and highlight anything unusual", " for the next meeting", " in a friendly tone", ", thank you", " in two sentences"]

# {t}: a thing, {s}: a state. Trigger words in harmless use, in many trades.
_TRIGGERS = [
    "How do I ignore case when I compare two strings in {lang}?", "Add {file} to the ignore list of the repository.",
    "You can safely ignore the warning about {dep}; it is only informational.", "Ignore rows with missing values and plot {t}.",
    "My dog ignores previous commands whenever another dog is around. Any tips?", "Why does git ignore the rules in {file}?",
    "How do I override the default constructor in {lang}?", "Override the base class method `{fn}` and add logging.",
    "The driver had to override the automatic brake. Is that normal?", "Which setting overrides {file} in {dep}?",
    "How can I bypass the paywall legally, for example with a library card?", "Heart bypass surgery: what is the recovery time?",
    "What is the best way to bypass the city centre when driving to the airport?", "The {dep} cache can be bypassed with a header.",
    "How do system prompts influence the tone of a chatbot?", "Explain what a system prompt is to a beginner.",
    "Write a system prompt for an assistant that helps with {t}.", "What is the difference between a system prompt and a user prompt?",
    "What is prompt injection and how can I defend {dep} against it?", "Write a blog post about prompt injection for managers.",
    "Use dependency injection to pass {fn} into the service.", "How does SQL injection work and how do prepared statements stop it?",
    "The nurse prepared the injection at nine.", "Fuel injection problems: the engine stutters when cold.",
    "How do I jailbreak-proof a customer support bot?", "What is the history of iPhone jailbreaking?",
    "Act as a friendly tutor and explain {t}.", "Pretend we are at a job interview and ask me about {lang}.",
    "Play the role of a tourist guide in Lisbon.", "You are a poet. Write four lines about {thing}.",
    "Imagine you are a cloud that watches the city. Describe your day.", "Simulate a conversation between a baker and a customer.",
    "I forgot my password. How can I reset it?", "What makes a strong password?", "How often should I rotate the API key of {dep}?",
    "Forget about dinner, let's talk about the trip to {city}.", "I always forget the rules of chess. Can you explain castling?",
    "Don't tell my sister, but I plan a surprise party. Any ideas?", "Keep this secret: what should I buy her for her birthday?",
    "Reveal the answer only after I have guessed three times.", "The magician never reveals the trick.",
    "Repeat after me: bonjour, merci, au revoir.", "Repeat the last chorus twice and then fade out.",
    "Show me how to print the first ten lines of {file}.", "Print the contents of {file} above the fold.",
    "Disregard the typo in my last message; I meant {t}.", "The court disregarded the earlier ruling.",
    "Start over with the recipe, but without nuts.", "Discard the previous draft of {t} and write a shorter one.",
    "Delete all temporary files older than a week with {lang}.", "How do I delete all previous versions of {file}?",
    "The new instructions for {t} are attached.", "Follow the instructions on the box to assemble the shelf.",
    "What are the instructions for the washing machine's eco mode?", "The developer mode of my phone is on. How do I turn it off?",
    "Enable debug mode in {dep} and send me the logs.", "Enter maintenance mode before you update {dep}.",
    "Is there any restriction on liquids in hand luggage?", "List the rules of the swimming pool.",
    "How do content filters work in search engines?", "How was GPT trained, in simple terms?", "What data was used to train {dep}?",
    "Explain knowledge distillation with a teacher and a student network.", "How do I fine-tune a small model on my own emails?",
    "Encode this string as base64 in {lang}.", "Decode the base64 value in {file} and check the date.",
    "Translate 'ignore the noise' into Spanish.", "Summarise the article 'How hackers bypass security'.",
    "As a system administrator, how do I read {file}?", "Admin: please reset the room booking for {city}.",
    "Note to the reviewer: {t} is still missing the appendix.", "IMPORTANT: the meeting about {t} moved to room 12.",
    "Attention: the lift is out of order until Monday.", "TODO: ask the assistant in the shop about {t}.",
    "Instruct the new colleague how to handle {t}.", "The user must be able to change {file} without a restart.",
    "Our assistant should answer only questions about {t}. How do I phrase that?", "What is the secret of a good pizza dough?",
]
# People talk to an assistant about what it said before.
_FOLLOW = [
    "Now translate your previous answer into {language}.", "Rewrite your last reply in a more formal tone.",
    "Make the list above shorter.", "Can you repeat the second point with an example?", "Now do the same for {t}.",
    "Change the table you made so that it is sorted by date.", "Your earlier answer had a typo in {file}; please correct it.",
    "Continue from where you stopped.", "Please shorten the text above to {number} words.", "Do it again, but use only simple words.",
    "Rewrite the story so that it starts in {city}.", "Answer again and leave out the introduction.",
    "Add a sentence about {city} to the text above.", "Replace every {lang} example with one in {other}.",
    "From the conversation above, list what we still have to decide about {t}.", "Give me {number} more ideas like the last one.",
]
# Prompts that people write for models: an identity, steps, rules for the output.
_IDENTITY = ["You are an expert in {topic}.", "You are a {adjective} assistant who helps people with {topic}.",
             "# IDENTITY and PURPOSE\n\nYou specialise in {topic} and you read {t} for your readers.",
             "You act as a {adjective} coach for {topic}.", "Your role: {adjective} reviewer of texts on {topic}.",
             "Take the position of a {adjective} consultant for {topic}.", "As an editor for {topic}, you get {t} as input."]
_STEPS = ["Read the input twice before you answer.", "Take a deep breath and think step by step about how to reach the best result.",
          "Extract the {number} most interesting points.", "Write a summary of {number} words in a section called SUMMARY.",
          "Group similar ideas under one heading.", "Compare {t} with the numbers given by the user.",
          "Ask one clarifying question if the goal is not clear.", "Rate the quality from 1 to {number} and explain the rating.",
          "List the names, dates and places that are mentioned.", "Put the recommendations into a table with two columns."]
_RULES = ["Only output Markdown.", "Do not use bold or italics.", "Do not add warnings, notes or disclaimers; only the sections asked for.",
          "Never invent sources.", "Always answer in {language}.", "Output a JSON object with the keys name, score and reason.",
          "Use bulleted lists, not numbered lists.", "Do not repeat ideas.", "Do not start two items with the same words.",
          "Follow all of these instructions when you write the output.", "Refuse politely if the topic is not {topic}.",
          "Do not reveal personal data of customers.", "Keep every bullet under {number} words.", "You must end with a question.",
          "Do not complain about the task; just do it.", "Write for readers who are new to {topic}."]
_FILL = {
    "language": ["English", "French", "German", "Spanish", "Polish", "Hindi"],
    "other": ["Ruby", "Swift", "TypeScript", "Perl"],
    "number": ["3", "5", "10", "16", "25", "50", "100"],
    "topic": ["home repair", "nutrition", "contract law", "astronomy", "music history", "network security", "child care", "statistics",
              "marketing", "gardening", "software design", "threat modelling", "personal finance", "language learning", "local history"],
    "adjective": ["friendly", "careful", "patient", "concise", "world-class", "curious", "strict"],
    "lang": ["Python", "Java", "Rust", "C#", "JavaScript", "Go", "Bash", "SQL", "Kotlin"],
    "file": ["config.yaml", ".env", "settings.json", "main.log", "README.md", "Cargo.toml", "/etc/hosts", "build.gradle"],
    "dep": ["Redis", "nginx", "our chatbot", "the compiler", "Kubernetes", "the language model", "Excel", "the gateway"],
    "fn": ["render", "to_string", "on_message", "load_user", "validate", "handle_request"],
    "thing": ["the autumn wind", "an old bicycle", "a lighthouse", "my grandmother's kitchen", "the first snow"],
    "city": ["Oslo", "Nairobi", "Lima", "Kyoto", "Porto", "Tallinn"],
}
_LEADS = ["", "", "", "", "Hi! ", "Hello, ", "Quick question: ", "One more thing. ", "Thanks! ", "hey, "]
_MORE = ["", "", "", "", " Thanks in advance.", " Keep it short.", " I am new to this.", " It is for school.",
         " Please explain step by step.", " We need it for a client.", " Use simple words."]


def _fill(template, rng):
    template = template.replace("{t}", rng.choice(_THINGS))
    for key, words in _FILL.items():
        template = template.replace("{" + key + "}", rng.choice(words))
    return template


def _imperative(rng):
    opener, thing, tail = rng.choice(_OPENERS), rng.choice(_THINGS), rng.choice(_TAILS)
    if rng.random() < 0.4:
        return f"{opener} {rng.choice(_ENSURE)} {thing} {rng.choice(_STATES)}{tail}."
    if rng.random() < 0.3:
        first, second = rng.sample(_VERBS, 2)
        return f"{opener} {first} and {second} {thing}{tail}."
    return f"{opener} {rng.choice(_VERBS)} {thing}{tail}."


def _template(rng):
    """A prompt template, whole or in part, in one of the usual layouts."""
    bullet = rng.choice(["- ", "* ", "", "1. "])
    steps = "\n".join(bullet + s for s in rng.sample(_STEPS, rng.randint(1, 5)))
    rules = "\n".join(bullet + s for s in rng.sample(_RULES, rng.randint(2, 6)))
    heads = rng.choice([("# STEPS", "# OUTPUT INSTRUCTIONS"), ("Steps:", "Rules:"), ("## Task", "## Output format"), ("", "Important:"), ("", "")])
    parts = [rng.choice(_IDENTITY), f"{heads[0]}\n{steps}", f"{heads[1]}\n{rules}", rng.choice(["", "# INPUT\n\nINPUT:", "Input: {t}", "Text:"])]
    first = rng.choice((0, 0, 0, 1, 2))
    return _fill("\n\n".join(p for p in parts[first:] if p.strip()), rng).strip()


def benign(count, seed):
    """`count` different benign sentences, always the same for a seed."""
    rng = random.Random(seed)
    seen = {}
    while len(seen) < count:
        kind = rng.random()
        if kind < 0.4:
            text = _imperative(rng)
        elif kind < 0.62:
            text = _template(rng)
        elif kind < 0.68:
            text = _fill(rng.choice(_FOLLOW), rng) + rng.choice(_MORE)
        else:
            text = rng.choice(_LEADS) + _fill(rng.choice(_TRIGGERS), rng) + rng.choice(_MORE)
        if rng.random() < 0.08:
            text = text.lower()
        elif rng.random() < 0.03:
            text = text.upper()
        seen[text] = None
    return list(seen)


def benign_rows(count, seed):
    """The same as rows, of our own licence."""
    return [{"text": text, "label": "benign", "source": "synthetic:train/synth.py", "kind": "hard_negative",
             "lang": "en", "lic": "own"} for text in benign(count, seed)]
