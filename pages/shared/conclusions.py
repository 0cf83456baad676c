"""What each study that ships comes to, in one sentence; the numbers are those of its findings."""

CONCLUSIONS = {
    "heads": "Sixty of SmolLM2's 270 heads, chosen on 100 pairs, raise the Spearman correlation "
    "by 4.7 to 4.8 on average over five other corpora, where 60 random heads lower it by 0.5; on "
    "Gemma 3 270M no choice of heads is clearly better than none.",
    "heads-one-word": "Sixty heads chosen on 100 pairs raise the Spearman correlation of "
    "prompt-eol by 4.5 on average over five other corpora, clearly on three of four sets of "
    "sentences and not on the longer texts of lee50; 60 random heads lower it by 1.2.",
    "stability": "To a good part: two choices of 60 of SmolLM2's heads, each by the ratings of 100 "
    "other pairs, share 51% of the heads that either chose, and 47% without ratings, where heads "
    "drawn at random would share 16%; 24 heads are chosen by all five parts. On Gemma 3 270M, "
    "whose choices help no other corpus, they share 41%.",
    "prompts": "On SmolLM2 the words of the prompt matter about as much as the method: scores "
    "have a standard deviation of 11.4 over ten prompts and of 10.0 over five methods.",
    "rules": "It does not: in none of four cases are the layers that the paper's rule selects "
    "clearly better than re-routing nothing, and their ranks are like those of windows drawn at "
    "random.",
    "parts": "On models this small no part of KV-Embedding is clearly better or worse than its "
    "absence, once the number of comparisons is taken into account.",
    "long-texts": "Longer documents score lower, except with the last token, which is poor at "
    "every length; the plain mean of the bare text scores highest at each, though not clearly.",
}
"""By the study's name, in the order of the page."""
