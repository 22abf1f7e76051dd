"""Which features a forest uses, by impurity and by permutation."""

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split

x, y = make_classification(
    n_samples=3000, n_features=12, n_informative=4, n_redundant=2, n_classes=3, random_state=0, shuffle=False
)
x_train, x_test, y_train, y_test = train_test_split(x, y, stratify=y, random_state=42)

forest = RandomForestClassifier(n_estimators=200, oob_score=True, random_state=0)
forest.fit(x_train, y_train)
print("out of bag", forest.oob_score_, "test", forest.score(x_test, y_test))

deviation = np.std([tree.feature_importances_ for tree in forest.estimators_], axis=0)
for number, (importance, spread) in enumerate(zip(forest.feature_importances_, deviation)):
    print(f"feature {number:2}: {importance:.4f} +/- {spread:.4f}")

result = permutation_importance(forest, x_test, y_test, n_repeats=5, random_state=42)
print(result.importances_mean.round(6).tolist())
