"""A network in scikit-learn's clothes, in a pipeline, its width searched on a grid."""

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, EpochScoring, PrintLog
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn


class Net(nn.Module):
    def __init__(self, width=10):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(20, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 2), nn.Softmax(-1)
        )

    def forward(self, X):
        return self.layers(X)


torch.manual_seed(0)
x, y = make_classification(600, 20, n_informative=10, random_state=0)
x, y = x.astype(np.float32), y.astype(np.int64)
net = NeuralNetClassifier(
    Net,
    max_epochs=10,
    lr=0.1,
    iterator_train__shuffle=True,
    callbacks=[EpochScoring("roc_auc"), EarlyStopping(patience=4)],
    callbacks__print_log=PrintLog(keys_ignored="dur"),
)
net.fit(x, y)
pipeline = Pipeline([("scale", StandardScaler()), ("net", NeuralNetClassifier(Net, max_epochs=5, lr=0.1, verbose=0))])
search = GridSearchCV(pipeline, {"net__module__width": [5, 20], "net__lr": [0.05, 0.1]}, cv=3, scoring="accuracy")
search.fit(x, y)
print(search.best_score_, search.best_params_, net.history[:, "valid_loss"])
