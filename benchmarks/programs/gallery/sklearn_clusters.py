"""Clusterings of the same points, judged with and without the truth."""

import numpy as np
from sklearn import metrics
from sklearn.cluster import DBSCAN, AgglomerativeClustering, Birch, KMeans, MiniBatchKMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

x, truth = make_blobs(n_samples=900, centers=4, n_features=6, cluster_std=1.3, random_state=1)
x = StandardScaler().fit_transform(x)
np.random.seed(3)
for count in (2, 3, 4, 5, 6):
    labels = KMeans(n_clusters=count, n_init=4).fit_predict(x)
    print(count, "silhouette", metrics.silhouette_score(x, labels), "rand", np.random.rand())

for model in (
    MiniBatchKMeans(4, random_state=0, n_init=3),
    AgglomerativeClustering(4),
    DBSCAN(eps=0.9),
    Birch(n_clusters=4),
    GaussianMixture(4, random_state=0),
):
    labels = model.fit_predict(x)
    print(
        type(model).__name__,
        metrics.adjusted_rand_score(truth, labels),
        metrics.v_measure_score(truth, labels),
        metrics.calinski_harabasz_score(x, labels),
    )
print(PCA(2).fit(x).explained_variance_ratio_.tolist())
