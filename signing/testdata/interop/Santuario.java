import java.io.IOException;
import org.apache.xml.security.Init;
import org.apache.xml.security.signature.XMLSignature;
import org.apache.xml.security.signature.XMLSignatureInput;
import org.apache.xml.security.transforms.Transforms;
import org.apache.xml.security.transforms.params.XPathContainer;
import org.apache.xml.security.utils.resolver.ResourceResolverContext;
import org.apache.xml.security.utils.resolver.ResourceResolverException;
import org.apache.xml.security.utils.resolver.ResourceResolverSpi;
import org.w3c.dom.Document;

/** Signs and verifies with Apache Santuario, secure validation on. */
final class Santuario implements Folder.Work {
    private static final String DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256";

    public static void main(String[] args) throws Exception {
        Init.init();
        Folder.run(args, new Santuario());
    }

    /** Finds the parts of a message. */
    private static final class Parts extends ResourceResolverSpi {
        private final Folder folder;

        Parts(Folder folder) {
            this.folder = folder;
        }

        @Override
        public boolean engineCanResolveURI(ResourceResolverContext context) {
            return context.uriToResolve != null && context.uriToResolve.startsWith("cid:");
        }

        @Override
        public XMLSignatureInput engineResolveURI(ResourceResolverContext context) throws ResourceResolverException {
            try {
                return new XMLSignatureInput(folder.part(context.uriToResolve));
            } catch (IOException e) {
                throw new ResourceResolverException(e, context.uriToResolve, context.baseUri, "no such part");
            }
        }
    }

    @Override
    public boolean verify(Folder folder) throws Exception {
        XMLSignature signature = new XMLSignature(folder.signature(folder.parse("signed.xml")), "", true);
        signature.addResourceResolver(new Parts(folder));
        return signature.checkSignatureValue(folder.credential());
    }

    @Override
    public void sign(Folder folder, Document document) throws Exception {
        XMLSignature signature = new XMLSignature(document, "", folder.algorithm());
        folder.place(document).appendChild(signature.getElement());
        signature.addResourceResolver(new Parts(folder));
        Transforms transforms = new Transforms(document);
        transforms.addTransform(Transforms.TRANSFORM_ENVELOPED_SIGNATURE);
        if (folder.isMessage()) {
            XPathContainer xpath = new XPathContainer(document);
            xpath.setXPathNamespaceContext("soap", Folder.SOAP);
            xpath.setXPath(Folder.XPATH);
            transforms.addTransform(Transforms.TRANSFORM_XPATH, xpath.getElementPlusReturns());
        }
        transforms.addTransform(Transforms.TRANSFORM_C14N_OMIT_COMMENTS);
        signature.addDocument("", transforms, DIGEST);
        if (folder.isMessage()) {
            for (String uri : folder.partURIs()) {
                signature.addDocument(uri, null, DIGEST);
            }
        }
        signature.addKeyInfo(folder.credential());
        signature.sign(folder.key());
    }
}
