package kms

import (
	"github.com/aws/aws-sdk-go-v2/service/kms/schemas"
	"github.com/aws/smithy-go"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

//go:generate go run ../../internal/constraints -model $KMS_MODEL -sdk $KMS_SDK -package kms -out constraints_gen.go

// typed makes an Action of a method that takes the SDK's input and gives the SDK's output.
func typed[In any, Out smithy.Serializable](handle func(*operation.Call, *In) (Out, error)) operation.Action {
	return operation.Typed(operation.Model{Constraints: constraints}, handle)
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "KMS", Name: Name, Protocol: wire.AWSJSON, APIs: []operation.API{s.API()}, Documented: documented(),
		BodyLimit: 256 << 10, // a policy of 32 KiB
		Errors:    operation.Errors{Internal: "KMSInternalException"},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.JSONAPI {
	return &operation.JSONAPI{Name: Name, Actions: s.actions(), AlwaysWritten: alwaysWritten}
}

// alwaysWritten are the booleans that KMS writes when false too.
var alwaysWritten = []*smithy.Schema{
	schemas.KeyMetadata_Enabled, schemas.GetKeyRotationStatusResponse_KeyRotationEnabled,
	schemas.ListAliasesResponse_Truncated,
	schemas.ListGrantsResponse_Truncated, schemas.ListKeyPoliciesResponse_Truncated, schemas.ListKeysResponse_Truncated,
	schemas.ListResourceTagsResponse_Truncated,
}

// actions are the operations that Tripod has, by name.
func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"CancelKeyDeletion":                   typed(s.cancelKeyDeletion),
		"CreateAlias":                         typed(s.createAlias),
		"CreateGrant":                         typed(s.createGrant),
		"CreateKey":                           typed(s.createKey),
		"Decrypt":                             typed(s.decrypt),
		"DeleteAlias":                         typed(s.deleteAlias),
		"DeleteImportedKeyMaterial":           typed(s.deleteImportedKeyMaterial),
		"DescribeKey":                         typed(s.describeKey),
		"DisableKey":                          typed(s.disableKey),
		"DisableKeyRotation":                  typed(s.disableKeyRotation),
		"EnableKey":                           typed(s.enableKey),
		"EnableKeyRotation":                   typed(s.enableKeyRotation),
		"Encrypt":                             typed(s.encrypt),
		"GenerateDataKey":                     typed(s.generateDataKey),
		"GenerateDataKeyWithoutPlaintext":     typed(s.generateDataKeyWithoutPlaintext),
		"GenerateDataKeyPair":                 typed(s.generateDataKeyPair),
		"GenerateDataKeyPairWithoutPlaintext": typed(s.generateDataKeyPairWithoutPlaintext),
		"GenerateMac":                         typed(s.generateMac),
		"GenerateRandom":                      typed(s.generateRandom),
		"GetKeyPolicy":                        typed(s.getKeyPolicy),
		"GetKeyRotationStatus":                typed(s.getKeyRotationStatus),
		"GetParametersForImport":              typed(s.getParametersForImport),
		"GetPublicKey":                        typed(s.getPublicKey),
		"ImportKeyMaterial":                   typed(s.importKeyMaterial),
		"ListAliases":                         typed(s.listAliases),
		"ListGrants":                          typed(s.listGrants),
		"ListKeyPolicies":                     typed(s.listKeyPolicies),
		"ListKeys":                            typed(s.listKeys),
		"ListResourceTags":                    typed(s.listResourceTags),
		"ListRetirableGrants":                 typed(s.listRetirableGrants),
		"PutKeyPolicy":                        typed(s.putKeyPolicy),
		"ReEncrypt":                           typed(s.reEncrypt),
		"ReplicateKey":                        typed(s.replicateKey),
		"RetireGrant":                         typed(s.retireGrant),
		"RevokeGrant":                         typed(s.revokeGrant),
		"RotateKeyOnDemand":                   typed(s.rotateKeyOnDemand),
		"ScheduleKeyDeletion":                 typed(s.scheduleKeyDeletion),
		"Sign":                                typed(s.sign),
		"TagResource":                         typed(s.tagResource),
		"UntagResource":                       typed(s.untagResource),
		"UpdateAlias":                         typed(s.updateAlias),
		"UpdateKeyDescription":                typed(s.updateKeyDescription),
		"Verify":                              typed(s.verify),
		"VerifyMac":                           typed(s.verifyMac),
	}
}
