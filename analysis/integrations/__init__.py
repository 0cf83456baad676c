"""Adapters: mteb, sentence-transformers, scikit-learn, LangChain and LlamaIndex."""
