"""Prompts that ask for a text in one word, quoted from their authors' code."""

ONE_WORD = 'This sentence : "{text}" means in one word:"'
"""PromptEOL's prompt (https://arxiv.org/abs/2307.16645)."""

THINKING = 'After thinking step by step , this sentence : "{text}" means in one word:"'
KNOWLEDGE = (
    "The essence of a sentence is often captured by its main subjects and actions, while "
    "descriptive terms provide additional but less central details. With this in mind , this "
    'sentence : "{text}" means in one word:"'
)
"""The prompts of Pretended CoT and Knowledge Enhancement, quoted from their authors' code
(https://github.com/ZBWpro/PretCoTandKE)."""

IRRELEVANT = 'The irrelevant information of this sentence : "{text}" means in one word:"'
"""What contrastive prompting moves away from, quoted from its authors' code
(https://arxiv.org/abs/2505.12831)."""

TASKS = tuple(
    f'In this task, {task} this sentence : "{{text}}" {asked} in one word:"'
    for task, asked in (
        (
            "you're presented with a text excerpt. Your task is to categorize the excerpt into a "
            "broad category such as 'Education', 'Technology', 'Health', 'Business', "
            "'Environment', 'Politics', or 'Culture'. These categories help in organizing content "
            "for better accessibility and targeting. For this task,",
            "should be classified under one general category",
        ),
        (
            "you're given a statement and you need to determine whether it's presenting an "
            "'Opinion' or a 'Fact'. This distinction is vital for information verification, "
            "educational purposes, and content analysis. For this task,",
            "discriminates between opinion and fact",
        ),
        (
            "you're given a review from an online platform. Your task is to generate a rating for "
            "the product based on the review on a scale of 1-5, where 1 means 'extremely negative' "
            "and 5 means 'extremely positive'. For this task,",
            "reflects the sentiment",
        ),
        (
            "you're reading a personal diary entry. Your task is to identify the predominant "
            "emotion expressed, such as joy, sadness, anger, fear, or love. For this task,",
            "conveys the emotion",
        ),
        (
            "you're presented with two sentences. Your task is to assess whether the sentences "
            "convey the same meaning. Use 'identical', 'similar', 'different', or 'unrelated' to "
            "describe the relationship. To enhance the performance of this task,",
            "means",
        ),
        (
            "you're given a sentence and a phrase. Your task is to determine if the phrase can be "
            "a contextual synonym within the given sentence. Options include 'yes', 'no', or "
            "'partially'. To enhance the performance of this task,",
            "means",
        ),
        (
            "you're examining a news article. Your task is to extract the most critical fact from "
            "the article. For this task,",
            "encapsulates the key fact",
        ),
        (
            "you're reviewing a scientific abstract. Your task is to identify the main entities "
            "(e.g., proteins, diseases) and their relations (e.g., causes, treats). For this task,",
            "highlights the primary entity or relation",
        ),
    )
)
"""MetaEOL's eight prompts (https://arxiv.org/abs/2402.18458), quoted from its authors' code."""

SHORT_TASKS = (
    'Name the topic of a text. Text: "{text}" Its topic in one word:"',
    'Say whether a text states an opinion or a fact. Text: "{text}" What it states in one word:"',
    'Rate a text, from awful to superb. Text: "{text}" The rating in one word:"',
    'Name the emotion that a text conveys. Text: "{text}" The emotion in one word:"',
    'Say a text again in other words. Text: "{text}" The same in one word:"',
    'Find the word that means what a text means. Text: "{text}" That word:"',
    'Name the key fact of a text. Text: "{text}" The key fact in one word:"',
    'Name whom or what a text is about. Text: "{text}" The name in one word:"',
)
"""MetaEOL's eight tasks in our own words, a third as long."""
