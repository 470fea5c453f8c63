package arczonalshift

import (
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/schemas"
	"github.com/aws/smithy-go"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

//go:generate go run ../../internal/constraints -model $ARC_MODEL -sdk $ARC_SDK -package arczonalshift -out constraints_gen.go

// model is what ARC's model says of all inputs.
var model = operation.Model{
	Constraints: constraints,
	Refuse:      func(_ string, _ *wire.Input, message string) error { return invalid("", "%s", message) },
}

// typed makes an action of a method that takes the SDK's input and gives the SDK's output.
func typed[In any, Out smithy.Serializable](handle func(*operation.Call, *In) (Out, error)) operation.Action {
	return operation.Typed(model, handle)
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "ARC zonal shift", Name: Name, Protocol: wire.RestJSON, APIs: []operation.API{s.API()},
		Documented: documented(),
		BodyLimit:  64 << 10, Errors: operation.Errors{Internal: "InternalServerException"},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.RESTAPI {
	return &operation.RESTAPI{Name: Name, Operations: []operation.RESTOperation{
		operation.RESTOf(schemas.CancelPracticeRun, typed(s.cancelPracticeRun)),
		operation.RESTOf(schemas.CancelZonalShift, typed(s.cancelZonalShift)),
		operation.RESTOf(schemas.CreatePracticeRunConfiguration, typed(s.createPracticeRun)),
		operation.RESTOf(schemas.DeletePracticeRunConfiguration, typed(s.deletePracticeRun)),
		operation.RESTOf(schemas.GetAutoshiftObserverNotificationStatus, typed(s.observerStatus)),
		operation.RESTOf(schemas.GetManagedResource, typed(s.getManagedResource)),
		operation.RESTOf(schemas.ListAutoshifts, typed(s.listAutoshifts)),
		operation.RESTOf(schemas.ListManagedResources, typed(s.listManagedResources)),
		operation.RESTOf(schemas.ListZonalShifts, typed(s.listZonalShifts)),
		operation.RESTOf(schemas.StartPracticeRun, typed(s.startPracticeRun)),
		operation.RESTOf(schemas.StartZonalShift, typed(s.startZonalShift)),
		operation.RESTOf(schemas.UpdateAutoshiftObserverNotificationStatus, typed(s.observe)),
		operation.RESTOf(schemas.UpdatePracticeRunConfiguration, typed(s.updatePracticeRun)),
		operation.RESTOf(schemas.UpdateZonalAutoshiftConfiguration, typed(s.updateAutoshift)),
		operation.RESTOf(schemas.UpdateZonalShift, typed(s.updateZonalShift)),
	}}
}
