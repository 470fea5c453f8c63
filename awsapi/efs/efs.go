// Package efs is Amazon Elastic File System: the restJson1 API by which file systems, their mount targets and their access
// points are made.
//
// What is in a file system is a directory of the region, or of its zone where it is a One Zone one; the agents make and
// delete it (package az/volumes). A mount target answers in its zone as long as the zone's agent does: see Mount, by which
// nodes find out. Performance, throughput, storage classes, backups and policies are kept and shown, and nothing follows from
// them.
package efs

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/ec2"
	"tripod/awsapi/kms"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "elasticfilesystem"

// The quotas of an account, AWS's defaults.
const (
	maxFileSystems  = 1000
	maxAccessPoints = 10000 // of a file system
	maxTags         = 50
	maxGroups       = 5 // of a mount target
)

// Service answers EFS's calls from a zone's copy of the regional state.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Network is EC2, which knows subnets and security groups; Keys is KMS.
	Network *ec2.Service
	Keys    *kms.Service
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// arn is that of a resource: file-system/fs-0123456789abcdef0, or file-system/* for those that there may be.
func (s *Service) arn(resource string) string {
	return "arn:aws:elasticfilesystem:" + s.Region + ":" + s.AccountID + ":" + resource
}

// newID is an id that nothing has yet: fs-0123456789abcdef0.
func newID(prefix string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return prefix + "-0" + hex.EncodeToString(b[:])
}

// short is a resource's id, which calls may give as an ARN.
func short(id *string) string {
	text := aws.ToString(id)
	return text[strings.LastIndexByte(text, '/')+1:]
}

// fail is one of EFS's errors. Its body has the code, too.
func fail(status int, code, format string, args ...any) *wire.Error {
	message := fmt.Sprintf(format, args...)
	members := map[string]string{"ErrorCode": code}
	if message != "" {
		members["Message"] = message
	}
	return &wire.Error{Code: code, Status: status, Message: message, Members: members}
}

func badRequest(format string, args ...any) error {
	return fail(http.StatusBadRequest, "BadRequest", format, args...)
}

// with adds a member to an error's body.
func with(e *wire.Error, member, value string) error {
	e.Members[member] = value
	return e
}

func noFileSystem(id string) error {
	return fail(http.StatusNotFound, "FileSystemNotFound", "File system '%s' does not exist.", wire.Clip(id))
}

func noMountTarget(id string) error {
	return fail(http.StatusNotFound, "MountTargetNotFound", "Mount target '%s' does not exist.", wire.Clip(id))
}

func noAccessPoint(id string) error {
	return fail(http.StatusNotFound, "AccessPointNotFound", "Access point '%s' does not exist.", wire.Clip(id))
}

// wrap says which call an unexpected error met; refusals stay as they are.
func wrap(call *operation.Call, err error) error {
	var refusal *wire.Error
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return fmt.Errorf("efs %s: %w", call.Operation, err)
}

// permit refuses a call where the caller may not do it to a resource with these tags.
func (s *Service) permit(call *operation.Call, resource string, tags map[string]string, about ...iam.Keys) error {
	return call.Authorize(wire.RestJSON, Name+":"+call.Operation, s.arn(resource),
		append(about, iam.TagKeys("aws:ResourceTag", tags))...)
}

// permitTags refuses a creation that gives tags where the caller may not do that: it takes TagResource beside the creation's own
// action ("Tag on create" of EFS's guide).
func (s *Service) permitTags(call *operation.Call, resource string, tags map[string]string) error {
	if len(tags) == 0 {
		return nil
	}
	return call.Authorize(wire.RestJSON, Name+":TagResource", s.arn(resource), iam.TagKeys("aws:ResourceTag", tags),
		iam.Keys{"elasticfilesystem:createaction": {call.Operation}})
}

// fileSystem is the file system with that id, which the caller may do the call to.
func (s *Service) fileSystem(tx *state.Txn, call *operation.Call, id *string, about ...iam.Keys) (region.FileSystem, error) {
	f, found := region.FileSystems.Get(tx, short(id))
	if err := s.permit(call, "file-system/"+short(id), f.Tags, about...); err != nil {
		return f, err
	}
	if !found {
		return f, noFileSystem(short(id))
	}
	return f, nil
}

// available is a file system that something is to be done to.
func (s *Service) available(tx *state.Txn, call *operation.Call, id *string) (region.FileSystem, error) {
	f, err := s.fileSystem(tx, call, id)
	if err == nil && f.State != region.FileSystemAvailable {
		err = fail(http.StatusConflict, "IncorrectFileSystemLifeCycleState", "File system '%s' is in the lifecycle state '%s': it must be "+
			"'available'.", f.ID, f.State)
	}
	return f, err
}

// view reads, and update writes; both say which call met an unexpected error.
func (s *Service) view(call *operation.Call, read func(tx *state.Txn) error) error {
	return wrap(call, s.State.View(read))
}

func (s *Service) update(call *operation.Call, write func(tx *state.Txn) error) error {
	return wrap(call, s.State.Update(call.Request.Context(), write))
}

// usualPage is how many of a list an answer has where nobody says.
const usualPage = 100

// page is a part of a list.
func page[T any](call *operation.Call, of string, most *int32, token *string, items []T, key func(T) string) ([]T, *string, error) {
	size := usualPage
	if most != nil {
		size = min(int(*most), usualPage)
	}
	part, next, ok := wire.Page(call.Operation+" "+of, size, token, items, key)
	if !ok {
		return nil, nil, badRequest("Invalid Marker")
	}
	if part == nil {
		part = []T{}
	}
	return part, next, nil
}
