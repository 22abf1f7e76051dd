"""A pipeline for text, its settings searched on a grid in two processes."""

import random

from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

TOPICS = {
    "space": "orbit moon rocket launch satellite star planet telescope",
    "cooking": "butter oven flour onion recipe bake pepper sauce",
    "sport": "goal team match player league score coach stadium",
}


def documents(count):
    chance = random.Random(0)
    common = "the a of and in to with for on was".split()
    texts, labels = [], []
    for _ in range(count):
        topic = chance.choice(list(TOPICS))
        words = chance.choices(TOPICS[topic].split(), k=4) + chance.choices(common, k=20)
        words += chance.choices(" ".join(TOPICS.values()).split(), k=4)
        chance.shuffle(words)
        texts.append(" ".join(words))
        labels.append(topic)
    return texts, labels


def main():
    texts, labels = documents(1500)
    pipeline = Pipeline(
        [
            ("vect", CountVectorizer()),
            ("tfidf", TfidfTransformer()),
            ("clf", SGDClassifier(random_state=0, tol=1e-3)),
        ]
    )
    grid = {
        "vect__ngram_range": ((1, 1), (1, 2)),
        "tfidf__use_idf": (True, False),
        "clf__alpha": (1e-5, 1e-4, 1e-3),
        "clf__penalty": ("l2", "elasticnet"),
    }
    search = GridSearchCV(pipeline, grid, n_jobs=2, verbose=1, cv=5)
    search.fit(texts, labels)
    print(f"best score: {search.best_score_:.4f}")
    for name, value in sorted(search.best_params_.items()):
        print(f"    {name}: {value!r}")
    print(search.cv_results_["mean_test_score"].round(6).tolist())


if __name__ == "__main__":
    main()
