"""Adapters: mteb, sentence-transformers, scikit-learn, LangChain, LlamaIndex and BERTopic."""
