"""Usual names of columns, in lower case without spaces and punctuation, preferred ones first."""

TEXT = (
    *("text", "texts", "sentence", "sentences", "content", "document", "passage", "body"),
    *("utterance", "query", "question", "abstract", "review", "comment", "title"),
)
LABEL = ("label", "labels", "domain", "category", "topic", "class", "intent", "target", "genre")
SIDES = (
    *(("sentence1", "sentence2"), ("text1", "text2"), ("sentencea", "sentenceb")),
    *(("texta", "textb"), ("sent1", "sent2"), ("s1", "s2"), ("question1", "question2")),
    ("premise", "hypothesis"),
)
"""Names of the two texts of a pair."""
SCORE = (
    *("score", "similarity", "similarityscore", "relatedness", "relatednessscore", "rating"),
    *("humanscore", "goldscore", "gold", "stsscore", "label"),
)
JUDGEMENT = (
    ("queryid", "qid", "query"),
    ("corpusid", "docid", "documentid", "did"),
    ("score", "relevance", "rel", "label", "grade"),
)
"""Names of the query, the document and the grade of a judgement."""
EVERY = {
    *(*TEXT, *LABEL, *SCORE),
    *(name for names in (*SIDES, *JUDGEMENT) for name in names),
}
