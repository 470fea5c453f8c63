// Package acm is AWS Certificate Manager as far as listeners of load balancers need it: certificates that are imported, and
// such as are requested, which an authority of the region's own issues.
//
// Nobody's DNS or mail is asked, so a requested certificate is issued after a moment, whoever owns the domain: only who
// trusts the region's authority, whose certificate GetCertificate gives as the chain, takes it. Private keys are in the
// regional state, as other secrets of the region are, and no call shows them.
package acm

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "acm"

// Service answers from a zone's copy of the regional state.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// validation is how long a requested certificate is PENDING_VALIDATION.
const validation = 2 * time.Second

// maxCertificates is how many certificates there may be: AWS's default quota.
const maxCertificates = 2500

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// arn is that of a certificate; id is a UUID, or * for one to be made.
func (s *Service) arn(id string) string {
	return "arn:aws:acm:" + s.Region + ":" + s.AccountID + ":certificate/" + id
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := &operation.JSONAPI{Name: Name, Actions: s.actions()}
	return operation.Service{
		Title: "Certificate Manager", Name: Name, Protocol: wire.AWSJSON, APIs: []operation.API{api}, BodyLimit: 512 << 10,
		Errors: operation.Errors{Internal: "InternalFailure"},
		Documented: operation.DocumentBy(api.Names(), []operation.Clause{
			{Words: []string{"RequestCertificate"}, State: operation.Works,
				Effect: "issued by the region's own authority after two seconds; nobody's DNS or mail is asked"},
			{Words: []string{"Options"}, State: operation.Recorded, Effect: "kept and shown; there is no transparency log"},
			{Words: []string{"DeleteCertificate"}, State: operation.Works, Effect: "one that a listener shows stays"},
			{Words: []string{""}, State: operation.Works, Effect: "as in AWS; private keys are shown to nobody"},
		}),
	}
}

// actions are the operations that Tripod has, by name.
func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"AddTagsToCertificate":      operation.JSONOf(s.addTags),
		"DeleteCertificate":         operation.JSONOf(s.deleteCertificate),
		"DescribeCertificate":       operation.JSONOf(s.describeCertificate),
		"GetCertificate":            operation.JSONOf(s.getCertificate),
		"ImportCertificate":         operation.JSONOf(s.importCertificate),
		"ListCertificates":          operation.JSONOf(s.listCertificates),
		"ListTagsForCertificate":    operation.JSONOf(s.listTags),
		"RemoveTagsFromCertificate": operation.JSONOf(s.removeTags),
		"RequestCertificate":        operation.JSONOf(s.requestCertificate),
		"UpdateCertificateOptions":  operation.JSONOf(s.updateOptions),
	}
}

// none is an answer without members.
type none struct{}

func refuse(code, format string, args ...any) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return refuse("ValidationException", format, args...) }

// wrap says which call an unexpected error met; refusals stay as they are.
func wrap(call *operation.Call, err error) error {
	var refusal *wire.Error
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return fmt.Errorf("acm %s: %w", call.Operation, err)
}

var arnForm = regexp.MustCompile(`^arn:[\w+=/,.@-]+:acm:[\w+=/,.@-]*:[0-9]+:[\w+=,.@-]+(/[\w+=,.@-]+)*$`)

// named is the input of an operation on one certificate.
type named struct{ CertificateArn string }

// permit refuses a call where the caller may not do it to the certificate.
func (s *Service) permit(call *operation.Call, arn string, about ...iam.Keys) error {
	if !arnForm.MatchString(arn) {
		return invalid("1 validation error detected: Value '%s' at 'certificateArn' failed to satisfy constraint: Member must "+
			"satisfy regular expression pattern: %s", wire.Clip(arn), arnForm)
	}
	var tags map[string]string
	err := s.State.View(func(tx *state.Txn) error {
		c, _ := region.Certificates.Get(tx, arn)
		tags = c.Tags
		return nil
	})
	if err != nil {
		return wrap(call, err)
	}
	return call.Authorize(wire.AWSJSON, Name+":"+call.Operation, arn, append(about, iam.TagKeys("aws:ResourceTag", tags))...)
}

// certificate is the certificate with that ARN, or AWS's refusal.
func certificate(tx *state.Txn, arn string) (region.Certificate, error) {
	c, found := region.Certificates.Get(tx, arn)
	if !found {
		return c, refuse("ResourceNotFoundException", "Could not find certificate %s.", wire.Clip(arn))
	}
	return c, nil
}

// view reads one certificate, for a caller who may do the call.
func (s *Service) view(call *operation.Call, arn string, read func(tx *state.Txn, c region.Certificate) error) error {
	if err := s.permit(call, arn); err != nil {
		return err
	}
	return wrap(call, s.State.View(func(tx *state.Txn) error {
		c, err := certificate(tx, arn)
		if err != nil {
			return err
		}
		return read(tx, c)
	}))
}

// change edits one certificate, for a caller who may do the call.
func (s *Service) change(call *operation.Call, arn string, edit func(c *region.Certificate) error) (*none, error) {
	if err := s.permit(call, arn); err != nil {
		return nil, err
	}
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		c, err := certificate(tx, arn)
		if err != nil {
			return err
		}
		if err := edit(&c); err != nil {
			return err
		}
		region.Certificates.Put(tx, arn, c)
		return nil
	})
	return &none{}, wrap(call, err)
}

func (s *Service) deleteCertificate(call *operation.Call, in *named) (*none, error) {
	if err := s.permit(call, in.CertificateArn); err != nil {
		return nil, err
	}
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		c, err := certificate(tx, in.CertificateArn)
		if err != nil {
			return err
		}
		if users := region.CertificateUsers(tx, c.ARN); len(users) > 0 {
			return refuse("ResourceInUseException", "Certificate %s in account %s is in use.", c.ARN, s.AccountID)
		}
		region.Certificates.Delete(tx, c.ARN)
		return nil
	})
	return &none{}, wrap(call, err)
}
