package iamapi

import "tripod/awsapi/wire"

// IAM has sentences of its own for what breaks these shapes' patterns.
const (
	saysName = "The specified value for %s is invalid. It must contain only alphanumeric characters and/or the " +
		"following: +=,.@_-"
	saysPath = "The specified value for %s is invalid. It must begin and end with / and contain only alphanumeric " +
		"characters and/or / characters."
	saysASCII = "The specified value for %s is invalid. It must contain only printable ASCII characters."
)

// inputs are the model's, with IAM's sentences.
func inputs() *wire.QueryModel {
	m := model
	m.Own = map[string]string{
		"userNameType": saysName, "existingUserNameType": saysName, "roleNameType": saysName, "groupNameType": saysName,
		"policyNameType":          saysName,
		"instanceProfileNameType": saysName, "virtualMFADeviceName": saysName, "customSuffixType": saysName,
		"pathType": saysPath, "policyPathType": saysPath,
		"policyDocumentType": saysASCII, "roleDescriptionType": saysASCII, "markerType": saysASCII,
	}
	return &m
}
