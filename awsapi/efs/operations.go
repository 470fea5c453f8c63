package efs

import (
	"net/http"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

//go:generate go run ../../internal/constraints -model $EFS_MODEL -sdk $EFS_SDK -package efs -out constraints_gen.go
//go:generate go run ../../internal/constraints -schemas -model $EFS_MODEL -package efs -out schemas_gen.go

// model is what EFS's model says of all inputs.
var model = operation.Model{Constraints: constraints, Refuse: func(_ string, _ *wire.Input, message string) error {
	return fail(http.StatusBadRequest, "ValidationException", "%s", message)
}}

// does is an operation that is answered by a method, which takes the SDK's input and gives the SDK's output.
func does[In, Out any](name string, handle func(*operation.Call, *In) (Out, error)) operation.RESTOperation {
	return operation.RESTOf(schemas.Operation(name), operation.TypedBy(model, schemas.Input(name), handle))
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "EFS", Name: Name, Protocol: wire.RestJSON, APIs: []operation.API{s.API()},
		Documented: documented(), BodyLimit: 64 << 10,
		Errors: operation.Errors{Throttled: func(message string) *wire.Error {
			return fail(http.StatusTooManyRequests, "ThrottlingException", "%s", message)
		}, Internal: "InternalServerError"},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.RESTAPI {
	return &operation.RESTAPI{Name: Name, Operations: []operation.RESTOperation{
		does("CreateAccessPoint", s.createAccessPoint),
		does("CreateFileSystem", s.createFileSystem),
		does("CreateMountTarget", s.createMountTarget),
		does("CreateReplicationConfiguration", s.createReplication),
		does("CreateTags", s.createTags),
		does("DeleteAccessPoint", s.deleteAccessPoint),
		does("DeleteFileSystem", s.deleteFileSystem),
		does("DeleteFileSystemPolicy", s.deletePolicy),
		does("DeleteMountTarget", s.deleteMountTarget),
		does("DeleteReplicationConfiguration", s.deleteReplication),
		does("DeleteTags", s.deleteTags),
		does("DescribeAccessPoints", s.describeAccessPoints),
		does("DescribeAccountPreferences", s.describePreferences),
		does("DescribeBackupPolicy", s.describeBackup),
		does("DescribeFileSystemPolicy", s.describePolicy),
		does("DescribeFileSystems", s.describeFileSystems),
		does("DescribeLifecycleConfiguration", s.describeLifecycle),
		does("DescribeMountTargetSecurityGroups", s.describeGroups),
		does("DescribeMountTargets", s.describeMountTargets),
		does("DescribeReplicationConfigurations", s.describeReplications),
		does("DescribeTags", s.describeTags),
		does("ListTagsForResource", s.listTags),
		does("ModifyMountTargetSecurityGroups", s.modifyGroups),
		does("PutAccountPreferences", s.putPreferences),
		does("PutBackupPolicy", s.putBackup),
		does("PutFileSystemPolicy", s.putPolicy),
		does("PutLifecycleConfiguration", s.putLifecycle),
		does("TagResource", s.tagResource),
		does("UntagResource", s.untagResource),
		does("UpdateFileSystem", s.updateFileSystem),
		does("UpdateFileSystemProtection", s.updateProtection),
	}}
}
