"""Recognising hand-written digits with a support vector machine."""

from sklearn import datasets, metrics, svm
from sklearn.model_selection import train_test_split

digits = datasets.load_digits()
data = digits.images.reshape((len(digits.images), -1))
x_train, x_test, y_train, y_test = train_test_split(data, digits.target, test_size=0.5, shuffle=False)

classifier = svm.SVC(gamma=0.001)
classifier.fit(x_train, y_train)
predicted = classifier.predict(x_test)

print(metrics.classification_report(y_test, predicted))
print("confusion matrix")
print(metrics.confusion_matrix(y_test, predicted))
print("accuracy", metrics.accuracy_score(y_test, predicted), classifier.score(x_test, y_test))
